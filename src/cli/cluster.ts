import { ERROR_CODES, RelaydError } from '../lib/errors.ts';
import type { ClusterLimitRow, ClusterRelayRow, ClusterView } from '../lib/contracts.ts';
import type { AdminClient } from './admin-client.ts';
import { bytes, count, duration, millis, offset, outOf, percent, text } from './format.ts';
import type { Style } from './format.ts';
import { renderTable } from './table.ts';
import type { Column } from './table.ts';

/** The cluster that a relay belongs to (Tier 3), as that relay knows it. */

/** What each column says, for the commands that show the tables. */
export const CLUSTER_LEGEND = [
  '*: the relay that is asked. STATE: ready, unready, draining. LINK: it has an authenticated connection to that one.',
  'AGREES: whether its limits over the cluster and its realm are those of this relay. What is not so is a fault in one of the configurations.',
  'SECRETS (--wide): short names of the secrets that it has, the one that it speaks with first; two while the secret of the cluster is changed.',
  'CLOCK (--wide): how far its clock is ahead (+) or behind (-) of that of the relay that is asked, and how wrong that may be.',
  'CIRCUITS: one over two relays counts at both. CHANGED (--wide): since it last told new numbers; a relay that is gone is not shown.',
].join('\n');

/** 80 columns, where nothing is out of the ordinary. */
const RELAYS: readonly Column<ClusterRelayRow>[] = [
  { title: 'RELAY', value: (row, style) => `${text(row.peer, style)}${row.self ? ' *' : ''}` },
  { title: 'STATE', value: (row, style) => text(row.state, style) },
  { title: 'LINK', value: (row) => yesNo(row.linked) },
  { title: 'RESERVATIONS', value: (row) => share(row.reservations), right: true },
  { title: 'CIRCUITS', value: (row) => share(row.circuits), right: true },
  { title: 'RELAYED', value: (row) => bytes(row.bytesRelayed), right: true },
  { title: 'AGREES', value: (row) => yesNo(row.agrees) },
  { title: 'REGION', value: (row, style) => text(row.region, style) },
  { title: 'RTT', value: (row) => millis(row.rttMs), right: true, wide: true },
  { title: 'CLOCK', value: (row) => offset(row.clockAheadMs, row.clockErrorMs), right: true, wide: true },
  { title: 'VERSION', value: (row, style) => text(row.version, style), wide: true },
  { title: 'SECRETS', value: (row, style) => text(row.secrets.join(), style), wide: true },
  { title: 'CHANGED', value: (row) => (row.self ? '-' : `${duration(row.heardMsAgo)} ago`), right: true, wide: true },
  { title: 'ADDRESS', value: (row, style) => text(row.addrs[0], style), wide: true },
];

const LIMITS: readonly Column<ClusterLimitRow>[] = [
  { title: 'LIMIT', value: (row, style) => text(row.limit, style) },
  { title: 'OF', value: (row, style) => text(ownerOf(row), style) },
  { title: 'HERE', value: (row) => amount(row, row.own), right: true },
  { title: 'IN ALL', value: (row) => amount(row, row.total), right: true },
  { title: 'AT MOST', value: (row) => amount(row, row.maximum), right: true },
  { title: 'USED', value: (row) => percent(row.total === null ? null : row.total / row.maximum), right: true },
  { title: 'SHARE', value: (row) => amount(row, row.share), right: true },
];

/** @throws RelaydError NO_CLUSTER where the daemon is in none, DAEMON_UNREACHABLE */
export async function readCluster(daemon: AdminClient, signal: AbortSignal | undefined): Promise<{ body: string; view: ClusterView }> {
  const body = await daemon.get('/api/v1/cluster', { signal });
  return { body, view: JSON.parse(body) as ClusterView };
}

/** `undefined` where the daemon is in no cluster, or of a version that knows of none. */
export async function clusterIfAny(daemon: AdminClient, signal: AbortSignal | undefined): Promise<ClusterView | undefined> {
  try {
    return (await readCluster(daemon, signal)).view;
  } catch (error) {
    if (error instanceof RelaydError && [ERROR_CODES.NO_CLUSTER.http, ERROR_CODES.NOT_BUILT.http].some((status) => status === error.httpStatus)) {
      return undefined;
    }
    throw error;
  }
}

export function renderCluster(view: ClusterView, style: Style): string {
  const { cluster, backend, problem, relays, totals, forwarded, limits } = view;
  const facts: [string, string][] = [
    ['cluster', `${text(cluster, style)}, by ${backend === 'gossip' ? 'gossip' : `a store (${text(backend, style)})`}`],
    ['problem', problem === null ? 'none' : text(problem, { wide: true })],
    ['relays', count(totals.relays)],
    ['reservations', outOf(totals.reservations.count, totals.reservations.max)],
    ['circuits', outOf(totals.circuits.count, totals.circuits.max)],
    ['relayed', bytes(totals.bytesRelayed)],
    ['secret', ownSecret(relays.find(({ self }) => self)?.secrets, style)],
    ['forwarded', `${count(forwarded.out)} to other relays, ${count(forwarded.in)} from other relays`],
  ];
  const width = Math.max(...facts.map(([label]) => label.length)) + 2;
  const head = facts.map(([label, value]) => `${label.padEnd(width)}${value}\n`).join('');
  const used = limits.filter(({ own, total }) => own > 0 || (total ?? 0) > 0);
  const fullest = used.length === 0 ? 'No limit over the cluster is in use.\n' : `Limits over the cluster, the fullest first:\n${renderTable(LIMITS, used, style)}`;
  return `${head}\n${renderClusterRelays(view, style)}\n${fullest}`;
}

export function renderClusterRelays({ relays }: ClusterView, style: Style): string {
  return renderTable(RELAYS, relays, style);
}

/** Whose limit it is: the key without what stands in the columns beside it, `public/reservations.perPrefix/192.0.2.0/24`; of a quota `quota/peer/12D3KooW…`. */
function ownerOf({ limit, key }: ClusterLimitRow): string {
  const start = limit.startsWith('quotas.') ? `quota/${limit.slice('quotas.'.length)}/` : `/${limit}/`;
  const at = key.indexOf(start);
  const whose = at < 0 ? key : key.slice(at + start.length);
  return key.startsWith('member/') ? `${whose} (member)` : whose;
}

function ownSecret([spoken, ...others]: readonly string[] = [], style: Style): string {
  const too = others.length === 0 ? '' : ` (${text(others.join(), style)} is accepted too: a change of the secret is not finished)`;
  return `${text(spoken, style)}${too}`;
}

function yesNo(value: boolean | null): string {
  return value === null ? '-' : value ? 'yes' : 'NO';
}

/** JSON has no infinity. */
function share({ count: own, max }: { count: number; max: number | null }): string {
  return max === null ? count(own) : `${count(own)}/${max}`;
}

function amount({ limit }: ClusterLimitRow, value: number | null): string {
  return limit.startsWith('quotas.') ? bytes(value) : count(value);
}
