/** How a node finds relays, and is found as one: docs/reference/discovery.md. */
export { Discovery } from './discovery.ts';
export { dhtOptions } from './dht-options.ts';
export { boundProviders } from './provider-records.ts';
export { isDnsaddr } from './dnsaddr.ts';
export { addressLists } from './settings.ts';
