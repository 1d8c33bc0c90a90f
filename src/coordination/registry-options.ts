import type { Registry as MetricsRegistry } from 'prom-client';
import type { CoordinationConfig } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { BackendListener } from './backend.ts';
import type { Links } from './links.ts';
import type { Proofs } from './proofs.ts';
import type { ClusterSecret } from './secret.ts';

/** What every backend is made from. */
export interface RegistryOptions {
  /** This relay's peer id. */
  readonly self: string;
  /** Of this run; grows with every start. */
  readonly epoch: number;
  readonly config: CoordinationConfig;
  /** Where a backend may keep a file. */
  readonly dataDir: string;
  readonly secret: ClusterSecret;
  readonly links: Links;
  readonly listener: BackendListener;
  readonly proofs: Proofs;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
}
