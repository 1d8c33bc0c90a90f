import type { Registry } from 'prom-client';
import type { ClientSupervisor } from '../client/index.ts';
import type { RelaydConfig } from '../config/domain.ts';
import { Discovery } from '../discovery/index.ts';
import { isCircuit } from '../lib/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { Host } from './host.ts';
import type { NamedRelays } from './named-relays.ts';

export interface DiscoveryParts {
  config: RelaydConfig;
  host: Host;
  addresses: AddressPolicy;
  named: NamedRelays;
  client: ClientSupervisor | undefined;
  clock: Clock;
  log: Logger;
  registry: Registry;
}

/** Discovery, wired to those that use what it finds and to the client, whose wants it serves. */
export function makeDiscovery({ host: { libp2p, components }, addresses, named, client, ...rest }: DiscoveryParts): Discovery {
  const discovery = new Discovery({
    ...rest,
    host: libp2p,
    dht: libp2p.services.dht,
    mdns: libp2p.services.mdns,
    isUsable: (addr) => addresses.mayDial(addr) && components.transportManager.dialTransportForMultiaddr(addr) !== undefined,
    isReachable: () => libp2p.getMultiaddrs().some((addr) => !isCircuit(addr) && addresses.mayTell(addr)),
    onFound: (source, peers) => client?.discovered(source, peers),
    onLists: (lists) => client?.update(lists),
    onAlternatives: named.fromDiscovery,
    known: () => client?.known() ?? [],
  });
  client?.on('relays:wanted', ({ wanted }) => discovery.want(wanted));
  client?.on('relays:known', () => discovery.knownChanged());
  return discovery;
}
