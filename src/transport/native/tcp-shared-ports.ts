import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { lookup } from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connectSocket } from './tcp-socket.ts';

/** A hundred times what it takes. */
const TIMEOUT_MS = 1_000;

/**
 * Whether two sockets can connect from one port here, which punching holes over TCP needs: Linux lets them when both are
 * bound with SO_REUSEADDR, as Node binds them; other systems may not. Tried on loopback.
 */
export async function canSharePorts(): Promise<boolean> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const servers = [createServer(), createServer()];
  const sockets: Socket[] = [];
  try {
    const [one, two] = await Promise.all(servers.map(listen));
    sockets.push(await connectSocket(one as Multiaddr, { lookup, signal, localPort: 0 }));
    sockets.push(await connectSocket(two as Multiaddr, { lookup, signal, localPort: sockets[0]?.localPort ?? 0 }));
    return sockets[0]?.localPort === sockets[1]?.localPort;
  } catch {
    return false;
  } finally {
    sockets.forEach((socket) => socket.destroy());
    servers.forEach((server) => server.close());
  }
}

async function listen(server: Server): Promise<Multiaddr> {
  // What connects is of no interest; it goes with the other end.
  server.on('connection', (socket) => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return multiaddr(`/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`);
}
