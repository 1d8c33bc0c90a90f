import type { CandidateRow, CircuitRow, ConfigRow, PeerRow, ReservationRow, TunnelRow } from '../../lib/contracts.ts';
import type { ClusterPageRow } from './cluster-source.ts';
import { bytes, clockOffset, configValue, duration, milliseconds, number, percent, since, text, until } from './format.ts';

/** How a value is set: `id` is cut in its middle where there is no room, and `long` goes over several lines. */
type Kind = 'text' | 'number' | 'id' | 'code' | 'long' | 'state';

export interface Column<R> {
  /** What the API sorts by; none where it cannot. */
  readonly sort?: keyof R & string;
  readonly label: string;
  readonly kind: Kind;
  readonly say: (row: R) => string;
}

export interface TableSpec<R> {
  readonly name: string;
  readonly title: string;
  /** Why there may be no row, and what to do about it. */
  readonly none: string;
  readonly key: (row: R) => string;
  readonly columns: readonly Column<R>[];
}

export const RESERVATIONS: TableSpec<ReservationRow> = {
  name: 'reservations',
  title: 'Reservations',
  none: 'No peer holds a reservation here yet.',
  key: ({ peer }) => peer,
  columns: [
    { sort: 'peer', label: 'Peer', kind: 'id', say: ({ peer }) => peer },
    { sort: 'class', label: 'Class', kind: 'state', say: (row) => row.class },
    { sort: 'addr', label: 'Address', kind: 'code', say: ({ addr, peer }) => addr.replace(`/p2p/${peer}`, '') },
    { sort: 'openedAt', label: 'Opened', kind: 'number', say: ({ openedAt }) => `${since(openedAt)} ago` },
    { sort: 'expiresAt', label: 'Expires', kind: 'number', say: ({ expiresAt }) => until(expiresAt) },
    { sort: 'renewals', label: 'Renewed', kind: 'number', say: ({ renewals }) => number(renewals) },
    { sort: 'circuits', label: 'Circuits', kind: 'number', say: ({ circuits }) => number(circuits) },
  ],
};

export const CIRCUITS: TableSpec<CircuitRow> = {
  name: 'circuits',
  title: 'Circuits',
  none: 'No circuit is open now.',
  key: ({ id }) => String(id),
  columns: [
    { sort: 'source', label: 'From', kind: 'id', say: ({ source }) => source },
    { sort: 'target', label: 'To', kind: 'id', say: ({ target }) => target },
    { sort: 'class', label: 'Class', kind: 'state', say: (row) => row.class },
    { sort: 'openedAt', label: 'Open for', kind: 'number', say: ({ openedAt }) => since(openedAt) },
    { sort: 'bytesToTarget', label: 'Sent', kind: 'number', say: ({ bytesToTarget }) => bytes(bytesToTarget) },
    { sort: 'bytesToSource', label: 'Received', kind: 'number', say: ({ bytesToSource }) => bytes(bytesToSource) },
    { sort: 'bufferedBytes', label: 'Held', kind: 'number', say: ({ bufferedBytes }) => bytes(bufferedBytes) },
    { sort: 'idleMs', label: 'Idle', kind: 'number', say: ({ idleMs }) => (idleMs < 1000 ? 'no' : duration(idleMs)) },
  ],
};

export const PEERS: TableSpec<PeerRow> = {
  name: 'peers',
  title: 'Peers',
  none: 'No peer is connected.',
  key: ({ peer, addr, openedAt }) => `${peer} ${addr} ${openedAt}`,
  columns: [
    { sort: 'peer', label: 'Peer', kind: 'id', say: ({ peer }) => peer },
    { sort: 'addr', label: 'Address', kind: 'code', say: ({ addr, peer }) => addr.replace(`/p2p/${peer}`, '') },
    { sort: 'direction', label: 'Direction', kind: 'text', say: ({ direction }) => direction },
    { sort: 'path', label: 'Path', kind: 'text', say: ({ path, upgrade }) => (upgrade === undefined || upgrade === 'none' ? path : `${path}, direct: ${upgrade}`) },
    { sort: 'openedAt', label: 'Open for', kind: 'number', say: ({ openedAt }) => since(openedAt) },
    { sort: 'streams', label: 'Streams', kind: 'number', say: ({ streams }) => number(streams) },
    { sort: 'reserved', label: 'Reserved', kind: 'text', say: ({ reserved }) => (reserved ? 'yes' : 'no') },
    { sort: 'agent', label: 'Program', kind: 'long', say: ({ agent }) => text(agent) },
  ],
};

export const RELAYS: TableSpec<CandidateRow> = {
  name: 'relays',
  title: 'Relays',
  none: 'No relay is known: name one in client.relays or discovery.bootstrap.',
  key: ({ peer }) => peer,
  columns: [
    { sort: 'peer', label: 'Relay', kind: 'id', say: ({ peer }) => peer },
    { sort: 'state', label: 'State', kind: 'state', say: ({ state, draining }) => (draining ? `${state}, drains` : state) },
    { sort: 'reason', label: 'Why', kind: 'long', say: whyOf },
    { sort: 'score', label: 'Score', kind: 'number', say: ({ score }) => number(Math.round(score)) },
    { sort: 'rttMs', label: 'Round trip', kind: 'number', say: ({ rttMs }) => milliseconds(rttMs) },
    { sort: 'load', label: 'Load', kind: 'number', say: ({ load }) => percent(load) },
    { sort: 'availability', label: 'Available', kind: 'number', say: ({ availability }) => percent(availability) },
    { sort: 'source', label: 'Known by', kind: 'text', say: ({ source, region }) => (region === null ? source : `${source}, ${region}`) },
    { sort: 'addr', label: 'Address', kind: 'code', say: ({ addr, peer }) => addr.replace(`/p2p/${peer}`, '') },
  ],
};

function whyOf({ reason, expiresAt, retryInSeconds }: CandidateRow): string {
  const expires = expiresAt === null ? [] : [`expires ${until(expiresAt)}`];
  const again = retryInSeconds === undefined ? [] : [`again in ${duration(retryInSeconds * 1000)}`];
  return [...(reason === undefined ? [] : [reason]), ...expires, ...again].join('; ') || text(undefined);
}

export const CLUSTER: TableSpec<ClusterPageRow> = {
  name: 'cluster',
  title: 'Cluster',
  none: 'No relay of the cluster is known.',
  key: ({ peer }) => peer,
  columns: [
    { sort: 'peer', label: 'Relay', kind: 'id', say: ({ peer }) => peer },
    { sort: 'state', label: 'State', kind: 'state', say: ({ state, self }) => (self ? `${state}, this one` : state) },
    { sort: 'linked', label: 'Connected', kind: 'text', say: ({ linked }) => (linked === null ? text(linked) : linked ? 'yes' : 'no') },
    { sort: 'agrees', label: 'Agrees', kind: 'text', say: ({ agrees }) => (agrees ? 'yes' : 'no: other limits, realm or access') },
    { sort: 'secrets', label: 'Secret', kind: 'text', say: ({ self, secrets, isSecretHere }) => (self || secrets.length === 0 ? text(null) : isSecretHere ? 'as here' : 'not as here') },
    { sort: 'clockAheadMs', label: 'Clock', kind: 'number', say: ({ clockAheadMs, clockErrorMs }) => clockOffset(clockAheadMs, clockErrorMs) },
    { sort: 'rttMs', label: 'Round trip', kind: 'number', say: ({ rttMs }) => milliseconds(rttMs) },
    { sort: 'reservations', label: 'Reservations', kind: 'number', say: ({ reservations }) => number(reservations.count) },
    { sort: 'circuits', label: 'Circuits', kind: 'number', say: ({ circuits }) => number(circuits.count) },
    { sort: 'bytesRelayed', label: 'Relayed', kind: 'number', say: ({ bytesRelayed }) => bytes(bytesRelayed) },
    { sort: 'heardMsAgo', label: 'Changed', kind: 'number', say: ({ heardMsAgo, self }) => (self ? text(null) : `${duration(heardMsAgo)} ago`) },
    { sort: 'region', label: 'Region', kind: 'text', say: ({ region }) => text(region) },
    { sort: 'version', label: 'Version', kind: 'text', say: ({ version }) => text(version) },
  ],
};

export const TUNNELS: TableSpec<TunnelRow> = {
  name: 'tunnels',
  title: 'Tunnels',
  none: 'No tunnel is configured: tunnels.expose offers a service of this machine, tunnels.forward brings one here.',
  key: ({ kind, name, local }) => `${kind} ${name} ${local}`,
  columns: [
    { sort: 'name', label: 'Name', kind: 'text', say: ({ name }) => name },
    { sort: 'kind', label: 'Kind', kind: 'state', say: ({ kind }) => kind },
    { sort: 'local', label: 'Here', kind: 'code', say: ({ local }) => local },
    { sort: 'peers', label: 'Peers', kind: 'id', say: ({ peers }) => (peers.length === 0 ? 'nobody' : peers.join(' ')) },
    { sort: 'open', label: 'Open', kind: 'number', say: ({ open }) => number(open) },
    { sort: 'opened', label: 'So far', kind: 'number', say: ({ opened }) => number(opened) },
    { sort: 'refused', label: 'Refused', kind: 'number', say: ({ refused }) => number(refused) },
    { sort: 'failed', label: 'Failed', kind: 'number', say: ({ failed }) => number(failed) },
    { sort: 'lastError', label: 'Last error', kind: 'long', say: ({ lastError }) => text(lastError) },
  ],
};

export const CONFIG: TableSpec<ConfigRow> = {
  name: 'config',
  title: 'Configuration',
  none: 'Nothing is known of where the configuration came from: the node was made by a program.',
  key: ({ key }) => key,
  columns: [
    { sort: 'key', label: 'Key', kind: 'code', say: ({ key }) => key },
    { sort: 'value', label: 'Value', kind: 'long', say: ({ value, afterRestart }) => (afterRestart === undefined ? configValue(value) : `${configValue(value)} (after a restart: ${configValue(afterRestart)})`) },
    { sort: 'origin', label: 'Set by', kind: 'long', say: ({ origin }) => origin },
    { sort: 'applies', label: 'A change needs', kind: 'text', say: ({ applies }) => (applies === 'live' ? 'a reload' : 'a restart') },
  ],
};
