import type { RelayCluster } from '../../lib/cluster/relay-cluster.ts';
import type { Clock } from '../../lib/clock.ts';
import { QuotaUse } from './quota-use.ts';
import type { ClusterTerms } from './terms.ts';
import { Turns } from './turns.ts';

/** What the relay needs to keep the limits that are counted over its cluster; of one run of it. */
export class GlobalLimits {
  readonly cluster: RelayCluster;
  readonly clock: Clock;
  readonly turns = new Turns();
  readonly use: QuotaUse;
  /** A reload replaces them; what is held keeps what it was given. */
  terms: ClusterTerms;

  constructor(cluster: RelayCluster, terms: ClusterTerms, clock: Clock) {
    this.cluster = cluster;
    this.terms = terms;
    this.clock = clock;
    this.use = new QuotaUse(cluster);
  }

  start(): void {
    this.use.start();
  }

  stop(): void {
    this.use.stop();
  }
}
