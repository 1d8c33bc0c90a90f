import type { CoordinationConfig } from '../../config/domain.ts';
import type { Counters, Registry } from '../backend.ts';
import type { RegistryOptions } from '../registry-options.ts';
import { RedisCounters } from './counters.ts';
import { RedisRegistry } from './registry.ts';
import { RedisStore } from './store.ts';

/** Redis needs no links between the relays and no file. */
export interface RedisStoreOptions extends Pick<RegistryOptions, 'self' | 'epoch' | 'listener' | 'proofs' | 'clock' | 'log'> {
  readonly config: Pick<CoordinationConfig, 'cluster' | 'redis' | 'allowPlaintext'>;
}

/** The registry and the counters of one relay in Redis, over one connection: it is open as long as one of the two is started. */
export function makeRedisStore({ self, epoch, config, listener, proofs, clock, log }: RedisStoreOptions): { registry: Registry; counters: Counters } {
  const store = new RedisStore({ config, cluster: config.cluster, self, epoch, proofs, clock, log });
  return { registry: new RedisRegistry(store, self, listener, proofs, log), counters: new RedisCounters(store, log) };
}
