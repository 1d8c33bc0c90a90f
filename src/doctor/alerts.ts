/**
 * The alert rules without which nobody would notice that a relay is down, full, or short of something, or that a client is cut off; a test
 * keeps the names equal to those of configs/prometheus/alert-rules.yaml, which has more.
 */
export const ALERTS: readonly string[] = [
  'RelaydRelayDown',
  'RelaydNotReady',
  'RelaydEventLoopLate',
  'RelaydMemoryNearlyFull',
  'RelaydDescriptorsNearlyUsed',
  'RelaydReservationsNearlyFull',
  'RelaydRefusingForCapacity',
  'RelaydClientHoldsNoReservation',
];

/** The same, of a relay that belongs to a cluster. */
export const CLUSTER_ALERTS: readonly string[] = ['RelaydClusterStoreAway', 'RelaydClusterSplit', 'RelaydClusterRelaysDisagree'];
