import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { DiscoveryMetrics } from './metrics.ts';

/** What each part of discovery is given. */
export interface PartOptions {
  readonly clock: Clock;
  /** Evenly from 0 up to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: DiscoveryMetrics;
}
