import type { Connection, PeerId, PrivateKey, StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isRelayed } from '../lib/addresses.ts';

/** What the relay service needs of the libp2p node that it runs on. */
export interface RelayHost {
  readonly peerId: PeerId;
  readonly privateKey: PrivateKey;
  handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void>;
  unhandle(protocol: string): Promise<void>;
  getConnections(peer: PeerId): Connection[];
  getMultiaddrs(): Multiaddr[];
  addEventListener(type: 'connection:close', listener: (event: CustomEvent<Connection>) => void): void;
  removeEventListener(type: 'connection:close', listener: (event: CustomEvent<Connection>) => void): void;
}

/** An open connection to `peer` that does not run over a relay; the youngest, which is the likeliest to work. */
export function directConnection(host: RelayHost, peer: PeerId): Connection | undefined {
  const usable = host.getConnections(peer).filter((connection) => connection.status === 'open' && !isRelayed(connection));
  return usable.sort((a, b) => b.timeline.open - a.timeline.open)[0];
}
