import type { ClusterRelayRow, ClusterView } from '../../lib/contracts.ts';
import { get } from './api.ts';
import type { List } from './api.ts';
import { pageOf } from './whole-list.ts';

const FIELDS = {
  peer: ({ peer }: ClusterRelayRow) => peer,
  state: ({ state }: ClusterRelayRow) => state,
  linked: ({ linked }: ClusterRelayRow) => String(linked),
  agrees: ({ agrees }: ClusterRelayRow) => String(agrees),
  rttMs: ({ rttMs }: ClusterRelayRow) => rttMs ?? -1,
  heardMsAgo: ({ heardMsAgo }: ClusterRelayRow) => heardMsAgo,
  reservations: ({ reservations }: ClusterRelayRow) => reservations.count,
  circuits: ({ circuits }: ClusterRelayRow) => circuits.count,
  bytesRelayed: ({ bytesRelayed }: ClusterRelayRow) => bytesRelayed,
  region: ({ region }: ClusterRelayRow) => region ?? '',
  version: ({ version }: ClusterRelayRow) => version,
};

/** The relays of the cluster. */
export async function clusterSource(query: URLSearchParams, signal: AbortSignal): Promise<List<ClusterRelayRow>> {
  const { relays } = await get<ClusterView>('cluster', signal);
  return pageOf(relays, query, FIELDS, ({ peer, state, region, version, addrs }) => [peer, state, region ?? '', version, ...addrs].join('\n'));
}
