import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** From what this relay has; by the owner, who was asked; or by this relay alone, because the owner could not be. */
const DECIDERS = ['share', 'owner', 'alone'] as const;
type Decider = (typeof DECIDERS)[number];

export class ShareMetrics {
  readonly #decisions: Counter<'by'>;

  constructor(registry: Registry, keys: () => number) {
    const registers = [registry];
    new Gauge({ name: 'relayd_cluster_shares', help: 'Keys of limits over the cluster of which this relay has places', registers, collect() { this.set(keys()); } });
    this.#decisions = new Counter({ name: 'relayd_cluster_share_decisions_total', help: 'Places and tokens of limits over the cluster that were decided on, by whom', labelNames: ['by'], registers });
    DECIDERS.forEach((by) => this.#decisions.inc({ by }, 0));
  }

  decided(by: Decider, count: number): void {
    this.#decisions.inc({ by }, count);
  }
}
