import type { CoordinationConfig } from '../../config/domain.ts';
import type { Counters, Registry } from '../backend.ts';
import type { Links } from '../links.ts';
import type { RegistryOptions } from '../registry-options.ts';
import type { KeyShare } from '../view.ts';
import { RedisCounters } from './counters.ts';
import { RedisRegistry } from './registry.ts';
import { RedisStore } from './store.ts';

/** Redis needs no file, and of the links between the relays only which there are. */
export interface RedisStoreOptions extends Pick<RegistryOptions, 'self' | 'epoch' | 'listener' | 'proofs' | 'clock' | 'log'> {
  readonly config: Pick<CoordinationConfig, 'cluster' | 'redis' | 'allowPlaintext'>;
  readonly links: Pick<Links, 'members'>;
}

/** The registry and the counters of one relay in Redis, over one connection: it is open as long as one of the two is started. */
export function makeRedisStore({ self, epoch, config, links, listener, proofs, clock, log }: RedisStoreOptions): { registry: Registry; counters: Counters; shareOf: (key: string) => KeyShare } {
  const store = new RedisStore({ config, cluster: config.cluster, self, epoch, proofs, clock, log });
  const counters = new RedisCounters(store, clock, log);
  return { registry: new RedisRegistry({ store, self, links, listener, proofs, clock, log }), counters, shareOf: (key) => ({ share: null, total: counters.total(key) ?? null }) };
}
