import type { ClusterRelayRow, ClusterView } from '../../../src/lib/contracts.ts';
import { ALICE, BOB, SELF } from './fake-view.ts';

const GIB = 2 ** 30;

/** Of a cluster whose limits are off, as far as they can be. */
function someRelay(peer: string, changes: Partial<ClusterRelayRow> = {}): ClusterRelayRow {
  return {
    peer,
    self: false,
    state: 'ready',
    addrs: [`/ip4/198.51.100.4/tcp/4001/p2p/${peer}`],
    region: 'us',
    version: '0.1.0',
    linked: true,
    rttMs: 12.5,
    clockAheadMs: 3,
    clockErrorMs: 7,
    heardMsAgo: 800,
    reservations: { count: 10, max: 100 },
    circuits: { count: 2, max: Infinity },
    bytesRelayed: GIB,
    agrees: true,
    secrets: ['0a1b2c3d'],
    ...changes,
  };
}

/** Three relays: this one, a good one, and one that drains and is not connected. */
export function someCluster(changes: Partial<ClusterView> = {}): ClusterView {
  return {
    cluster: 'example',
    backend: 'gossip',
    problem: null,
    relays: [
      someRelay(SELF, { self: true, linked: null, rttMs: null, clockAheadMs: null, clockErrorMs: null, heardMsAgo: 0, region: 'eu', addrs: [`/ip4/203.0.113.7/tcp/4001/p2p/${SELF}`] }),
      someRelay(ALICE),
      someRelay(BOB, { state: 'draining', linked: false, rttMs: null, clockAheadMs: null, clockErrorMs: null, heardMsAgo: 3_000, region: null, agrees: false }),
    ],
    totals: { relays: 3, reservations: { count: 30, max: 300 }, circuits: { count: 6, max: Infinity }, bytesRelayed: 3 * GIB },
    limits: [
      { limit: 'reservations.perPrefix', key: '192.0.2.0/24', own: 5, total: 15, maximum: 16, share: 6 },
      { limit: 'quotas.peer', key: ALICE, own: GIB, total: null, maximum: 10 * GIB, share: null },
    ],
    forwarded: { out: 2, in: 1 },
    ...changes,
  };
}
