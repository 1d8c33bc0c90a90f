import type { Registry } from './backend.ts';
import type { Backend } from './coordinator.ts';
import { makeEtcdRegistry } from './etcd/index.ts';
import { makeGossipRegistry } from './gossip/index.ts';
import type { GossipHost } from './gossip/index.ts';
import { makeRedisStore } from './redis/index.ts';
import type { RegistryOptions } from './registry-options.ts';
import type { Relays } from './relays.ts';
import { makeSharedCounters } from './shares/index.ts';

export interface BackendOptions extends RegistryOptions {
  readonly relays: Relays;
  readonly host: GossipHost;
}

/** What `coordination.backend` names. Where no store counts, the relays count among themselves. */
export function makeBackend(options: BackendOptions): Backend {
  return options.config.backend === 'redis' ? makeRedisStore(options) : { registry: makeRegistry(options), ...makeShares(options) };
}

function makeRegistry(options: BackendOptions): Registry {
  return options.config.backend === 'etcd' ? makeEtcdRegistry(options) : makeGossipRegistry(options);
}

function makeShares({ self, links, relays, clock, log, metrics: registry }: BackendOptions): Pick<Backend, 'counters' | 'shareOf'> {
  const view = (): { live: readonly string[]; known: number } => ({ live: [self, ...relays.live().map(({ peer }) => peer)], known: relays.knownCount() });
  const counters = makeSharedCounters({ self, links, view, onViewChange: (listener) => relays.onChange(listener), clock, log, registry });
  return { counters, shareOf: (key) => ({ share: counters.share(key) ?? null, total: counters.total(key) ?? null }) };
}
