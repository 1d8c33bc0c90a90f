import type { Registry } from '../backend.ts';
import type { RegistryOptions } from '../registry-options.ts';
import { Dissemination } from './dissemination.ts';
import type { GossipHost } from './dissemination.ts';
import { GossipRegistry } from './registry.ts';

export type { GossipHost } from './dissemination.ts';

/** The registry that needs no store: the relays tell each other. It stands on `o.links`, which are to be started before it. */
export function makeGossipRegistry(o: RegistryOptions & { host: GossipHost }): Registry {
  const { clock, config, host, links, log, secret } = o;
  return new GossipRegistry(o, (metrics, onMessage) => new Dissemination({ host, cluster: config.cluster, links, secret, clock, log, metrics, onMessage }));
}
