import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { multiaddr } from '@multiformats/multiaddr';

/** A TCP server that says nothing and counts who comes. */
export interface SilentServer {
  /** Its multiaddr, binary. */
  readonly addr: Uint8Array;
  readonly connections: number;
  stop(): Promise<void>;
}

export async function startSilentServer(): Promise<SilentServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    addr: multiaddr(`/ip4/127.0.0.1/tcp/${port}`).bytes,
    get connections() {
      return connections;
    },
    stop: () => {
      sockets.forEach((socket) => socket.destroy());
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
