import { checkCertificate } from './certificate.ts';
import { checkHeld, checkRelaysNamed } from './client-check.ts';
import { checkClock } from './clock-check.ts';
import { checkClusterClock } from './cluster-clock.ts';
import { checkClusterLimits } from './cluster-limits.ts';
import { checkClusterSecret } from './cluster-secret.ts';
import { checkClusterAgreement, checkClusterLinks, checkClusterMembers, checkClusterMonitored, checkClusterRedundancy, checkClusterStore } from './cluster.ts';
import type { Facts } from './facts.ts';
import { checkFailover } from './failover.ts';
import { checkAuthorityKey, checkBackup, checkKey } from './identity-check.ts';
import { acknowledged } from './item.ts';
import type { Check, Item } from './item.ts';
import { checkDescriptors, checkMemory, checkPublicLimits } from './limits.ts';
import { checkAlerts, checkScraped } from './monitoring.ts';
import { checkAnnounced, checkPort } from './network.ts';
import { checkReachable } from './reachable.ts';
import { checkToken } from './realm-check.ts';
import { checkIndependence, checkLists, checkMonitoredRelays, checkRegions, checkSpread } from './several-relays.ts';
import { checkDaemon, checkEventLoop, checkNodeVersion, checkReady } from './setup.ts';
import { checkDataDir, checkDiskSpace } from './storage.ts';
import { checkCircuitLimits, checkNodeCount, checkSharedAddresses, checkSlots } from './traffic.ts';

/** Items under one heading. */
export interface Group {
  readonly title: string;
  readonly items: readonly Item[];
}

const CHECKS: readonly (readonly [string, readonly Check<Facts>[]])[] = [
  ['Daemon', [checkDaemon, checkReady, checkEventLoop, checkNodeVersion, checkClock]],
  ['Identity and files', [checkKey, checkBackup, checkAuthorityKey, checkToken, checkCertificate, checkDataDir, checkDiskSpace]],
  ['Network', [checkPort, checkAnnounced, checkReachable, checkRelaysNamed, checkHeld, checkFailover]],
  ['Limits', [checkPublicLimits, checkMemory, checkDescriptors, checkCircuitLimits, checkSlots, checkSharedAddresses, checkNodeCount]],
  ['Monitoring', [checkScraped, checkAlerts]],
  ['Several relays', [checkLists, checkRegions, checkSpread, checkIndependence, checkMonitoredRelays]],
  ['Cluster', [checkClusterStore, checkClusterRedundancy, checkClusterMembers, checkClusterSecret, checkClusterLinks, checkClusterClock, checkClusterAgreement, checkClusterLimits, checkClusterMonitored]],
];

/** Every item that applies to this node, in the order in which a person would look. */
export function checkAll(facts: Facts): Group[] {
  const { acknowledge } = facts.config.doctor;
  const groups = CHECKS.map(([title, checks]) => ({ title, items: checks.flatMap((check) => check(facts) ?? []).map((item) => acknowledged(item, acknowledge)) }));
  return groups.filter(({ items }) => items.length > 0);
}
