import type { ClusterLimit } from '../lib/cluster/relay-cluster.ts';
import type { ClusterLimitRow, ClusterRelayRow, ClusterView } from '../lib/contracts.ts';
import type { Links } from './links.ts';
import type { Meter } from './meters.ts';
import type { PlaceRow } from './places.ts';
import type { ClassCounts, RelayFacts } from './record.ts';
import type { LiveRelay } from './relays.ts';

/** What a page or a table shows of limits; a cluster has as many keys as peers. */
const MAX_LIMIT_ROWS = 50;

/** What is known of one key beside this relay's own count, where shares are counted. */
export interface KeyShare {
  readonly share: number | null;
  readonly total: number | null;
}

export interface ViewSources {
  readonly cluster: string;
  readonly backend: ClusterView['backend'];
  readonly problem: string | undefined;
  readonly self: string;
  readonly own: RelayFacts;
  readonly others: readonly LiveRelay[];
  readonly links: Pick<Links, 'members' | 'rttMs' | 'skew'>;
  readonly places: readonly PlaceRow[];
  readonly shareOf: (key: string) => KeyShare;
  readonly meters: readonly Meter[];
  readonly forwarded: { readonly out: number; readonly in: number };
  readonly nowMs: number;
}

export function clusterView(sources: ViewSources): ClusterView {
  const { cluster, backend, problem, forwarded } = sources;
  const relays = [ownRow(sources), ...sources.others.map((relay) => otherRow(sources, relay))];
  return { cluster, backend, problem: problem ?? null, relays, totals: totalsOf(relays), limits: limitRows(sources), forwarded };
}

function ownRow({ self, own }: ViewSources): ClusterRelayRow {
  return { peer: self, self: true, linked: null, rttMs: null, clockAheadMs: null, clockErrorMs: null, heardMsAgo: 0, agrees: true, ...factRow(own) };
}

function otherRow({ own, links, nowMs }: ViewSources, { peer, record, heardAt }: LiveRelay): ClusterRelayRow {
  const skew = links.skew(peer);
  return {
    peer,
    self: false,
    linked: links.members().includes(peer),
    rttMs: links.rttMs(peer) ?? null,
    clockAheadMs: skew?.aheadMs ?? null,
    clockErrorMs: skew?.errorMs ?? null,
    heardMsAgo: Math.round(nowMs - heardAt),
    agrees: record.digest === own.digest,
    ...factRow(record),
  };
}

function factRow({ state, addrs, region, version, classes, bytesRelayed, secrets }: RelayFacts): Pick<ClusterRelayRow, 'state' | 'addrs' | 'region' | 'version' | 'reservations' | 'circuits' | 'bytesRelayed' | 'secrets'> {
  const sum = (what: keyof ClassCounts): { count: number; max: number } => ({
    count: classes.public[what].count + classes.member[what].count,
    max: classes.public[what].max + classes.member[what].max,
  });
  return { state, addrs: [...addrs], region: region ?? null, version, reservations: sum('reservations'), circuits: sum('circuits'), bytesRelayed, secrets: [...secrets] };
}

function totalsOf(relays: readonly ClusterRelayRow[]): ClusterView['totals'] {
  const sum = (read: (row: ClusterRelayRow) => number): number => relays.reduce((total, row) => total + read(row), 0);
  return {
    relays: relays.length,
    reservations: { count: sum((row) => row.reservations.count), max: sum((row) => row.reservations.max) },
    circuits: { count: sum((row) => row.circuits.count), max: sum((row) => row.circuits.max) },
    bytesRelayed: sum((row) => row.bytesRelayed),
  };
}

/** Of each limit, how much of its fullest key is used: 0 to 1. */
export function fullestOf(sources: LimitSources): Map<ClusterLimit, number> {
  const fullest = new Map<ClusterLimit, number>();
  for (const row of allLimitRows(sources)) {
    fullest.set(row.limit, Math.max(fullest.get(row.limit) ?? 0, fullness(row)));
  }
  return fullest;
}

export type LimitSources = Pick<ViewSources, 'places' | 'meters' | 'shareOf'>;

function limitRows(sources: ViewSources): ClusterLimitRow[] {
  return allLimitRows(sources).sort((a, b) => fullness(b) - fullness(a)).slice(0, MAX_LIMIT_ROWS);
}

function allLimitRows({ places, meters, shareOf }: LimitSources): (ClusterLimitRow & { limit: ClusterLimit })[] {
  const held = places.map(({ limit, key, count, maximum }) => ({ limit, key, own: count, maximum, ...shareOf(key) }));
  const used = meters.map(({ limit, key, own, told, total, totalAt, quota }) => ({ limit, key, own, total: totalAt === -Infinity ? null : total - told + own, maximum: quota.bytes, share: null }));
  return [...held, ...used];
}

function fullness({ own, total, maximum }: ClusterLimitRow): number {
  return (total ?? own) / maximum;
}
