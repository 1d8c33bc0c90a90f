import { passthroughMapper, removePrivateAddressesMapper } from '@libp2p/kad-dht';
import type { KadDHTInit } from '@libp2p/kad-dht';
import type { RelaydConfig } from '../config/domain.ts';

/** The DHT of the configuration, as the library wants it told. */
export function dhtOptions(config: RelaydConfig): KadDHTInit {
  const isServer = serves(config);
  return {
    protocol: config.discovery.dht.protocol,
    ...(isServer === undefined ? {} : { clientMode: !isServer }),
    // Every other query waits until the node has looked for its neighbours; by default that begins a second after the start.
    initialQuerySelfInterval: 0,
    peerInfoMapper: config.network.allowPrivate ? passthroughMapper : removePrivateAddressesMapper,
  };
}

/**
 * Whether it answers queries; `undefined` leaves it to the library, which serves as long as this node announces a public address (no
 * circuit). In a network where private addresses are of use no address is public, and its relays are what everyone can reach.
 */
function serves({ role, network, discovery }: RelaydConfig): boolean | undefined {
  if (discovery.dht.mode !== 'auto') {
    return discovery.dht.mode === 'server';
  }
  return network.allowPrivate && role !== 'client' && network.listen.length > 0 ? true : undefined;
}
