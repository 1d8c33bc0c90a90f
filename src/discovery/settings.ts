import type { RelaydConfig } from '../config/domain.ts';
import type { AddressLists } from './address-lists.ts';
import { isDnsaddr } from './dnsaddr.ts';

/** What {@link Discovery} takes from the configuration that may change while it runs. */
export function addressLists({ client, discovery }: Pick<RelaydConfig, 'client' | 'discovery'>): AddressLists {
  return { relays: client.relays, bootstrap: discovery.bootstrap };
}

/** An operator who lists the relays one by one wants those and no others, not even ones that once were in the list. */
export function findsRelays({ client, discovery }: Pick<RelaydConfig, 'client' | 'discovery'>): boolean {
  return discovery.dht.enabled || discovery.mdns || discovery.bootstrap.length > 0 || client.relays.some(isDnsaddr);
}
