import type { Libp2p } from '@libp2p/interface';
import type { KadDHT } from '@libp2p/kad-dht';

/** What discovery asks of libp2p. */
export type DiscoveryHost = Pick<Libp2p, 'peerId' | 'dial' | 'getConnections' | 'getMultiaddrs' | 'addEventListener' | 'removeEventListener'>;

/** What discovery asks of the DHT. */
export type Dht = Pick<KadDHT, 'provide' | 'cancelReprovide' | 'findProviders' | 'getClosestPeers'>;
