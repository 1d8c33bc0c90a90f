import type { ClusterRelayRow, ClusterView } from '../../lib/contracts.ts';
import { get } from './api.ts';
import type { List } from './api.ts';
import { pageOf } from './whole-list.ts';

/** A relay of the cluster, and whether it has the secrets that this one has, and speaks with the same. */
export interface ClusterPageRow extends ClusterRelayRow {
  readonly isSecretHere: boolean;
}

const FIELDS = {
  peer: ({ peer }: ClusterRelayRow) => peer,
  state: ({ state }: ClusterRelayRow) => state,
  linked: ({ linked }: ClusterRelayRow) => String(linked),
  agrees: ({ agrees }: ClusterRelayRow) => String(agrees),
  secrets: ({ secrets }: ClusterRelayRow) => secrets.join(),
  rttMs: ({ rttMs }: ClusterRelayRow) => rttMs ?? -1,
  clockAheadMs: ({ clockAheadMs }: ClusterRelayRow) => clockAheadMs ?? 0,
  heardMsAgo: ({ heardMsAgo }: ClusterRelayRow) => heardMsAgo,
  reservations: ({ reservations }: ClusterRelayRow) => reservations.count,
  circuits: ({ circuits }: ClusterRelayRow) => circuits.count,
  bytesRelayed: ({ bytesRelayed }: ClusterRelayRow) => bytesRelayed,
  region: ({ region }: ClusterRelayRow) => region ?? '',
  version: ({ version }: ClusterRelayRow) => version,
};

/** The relays of the cluster. */
export async function clusterSource(query: URLSearchParams, signal: AbortSignal): Promise<List<ClusterPageRow>> {
  const { relays } = await get<ClusterView>('cluster', signal);
  const here = relays.find(({ self }) => self)?.secrets.join();
  const rows = relays.map((row) => ({ ...row, isSecretHere: row.secrets.join() === here }));
  return pageOf(rows, query, FIELDS, ({ peer, state, region, version, addrs }) => [peer, state, region ?? '', version, ...addrs].join('\n'));
}
