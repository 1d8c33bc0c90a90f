import { getNetConfig } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { toError } from '../../lib/errors.ts';

interface ConnectOptions {
  lookup: LookupFunction;
  signal: AbortSignal;
  /** Comes from this port (0: from a free one), which other sockets can share: Node binds with SO_REUSEADDR. */
  localPort?: number;
}

/** Either family: such a name's addresses are tried one after the other, which a socket that is bound to one cannot. */
const UNBOUND = 'dns';

const ANY = { 4: '0.0.0.0', 6: '::' } as const;

/** A connected socket. @throws Error of the system with the address in its text; the signal's reason */
export async function connectSocket(addr: Multiaddr, { lookup, signal, localPort }: ConnectOptions): Promise<Socket> {
  signal.throwIfAborted();
  const { host, port, type } = getNetConfig(addr);
  if (port === undefined) {
    throw new Error(`${addr.toString()} names no port`);
  }
  const family = type.endsWith('6') ? 6 : 4;
  const from = localPort === undefined || type === UNBOUND ? {} : { localAddress: ANY[family], localPort, family };
  const socket = connect({ host, port, noDelay: true, keepAlive: true, lookup, ...from });
  // What comes between the waiting here and the connection's own listener, or from a socket that is given up.
  socket.on('error', () => undefined);
  try {
    await once(socket, 'connect', { signal });
    return socket;
  } catch (error) {
    socket.destroy();
    throw signal.aborted ? error : new Error(`connection error ${host}:${port}: ${toError(error).message}`, { cause: error });
  }
}
