import type { Connection, PeerId, StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import { CODE_P2P } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isRelayed } from '../../lib/addresses.ts';
import { RelaydError } from '../../lib/errors.ts';

/** What the links need of the libp2p node that they run on. */
export interface LinkHost {
  handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void>;
  unhandle(protocol: string): Promise<void>;
  /** With `force` an open connection to the same peer is not taken in its place. */
  dial(addr: Multiaddr, options: { signal: AbortSignal; force: boolean }): Promise<Connection>;
  getConnections(peer: PeerId): Connection[];
}

/** An open connection to `peer` that runs over no relay and is none of `dead`; the youngest, which is the likeliest to work. */
export function usableConnection(host: LinkHost, peer: PeerId, dead: WeakSet<Connection>): Connection | undefined {
  const usable = host.getConnections(peer).filter((connection) => connection.status === 'open' && !isRelayed(connection) && !dead.has(connection));
  return usable.sort((a, b) => b.timeline.open - a.timeline.open)[0];
}

/**
 * A new connection to `peer` at `addr`. libp2p dials the addresses of one peer one after the other, and a silent one would hold up the rest: so it is not told
 * whose they are, and who answers is looked at here.
 *
 * @throws RelaydError DIAL_FAILED when another peer answers; libp2p's errors
 */
export async function dialRelay(host: LinkHost, peer: string, addr: Multiaddr, signal: AbortSignal): Promise<Connection> {
  const connection = await host.dial(addr.decapsulateCode(CODE_P2P), { signal, force: true });
  if (connection.remotePeer.toString() !== peer) {
    const error = new RelaydError('DIAL_FAILED', `another peer answers at ${addr.toString()}`);
    connection.abort(error);
    throw error;
  }
  return connection;
}
