import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { within } from '../../support/waiting.ts';
import type { Clients } from './clients.ts';
import type { Relay } from './relay.ts';
import type { Scene } from './scene.ts';

/**
 * Clients in pairs: each even one exposes a service of this process to the odd one after it, which forwards a local port to it. What connects to
 * that port runs through a tunnel, and that through a circuit.
 */
export interface TunnelPairs {
  readonly clients: Clients;
  /** Local ports of the odd clients. */
  readonly ports: readonly number[];
}

export interface PairsSetup {
  readonly identities: { readonly dir: string; readonly peerIds: readonly string[] };
  readonly relays: readonly Relay[];
  /** The service's port. */
  readonly to: number;
  readonly client?: object;
}

const CONNECT_MS = 10_000;

export async function tunnelPairs(scene: Scene, { identities, relays, to, client }: PairsSetup): Promise<TunnelPairs> {
  const { dir, peerIds } = identities;
  const configs = peerIds.map((_, i) => ({ tunnels: i % 2 === 0 ? exposing(to, peerIds[i + 1] ?? '') : forwarding(peerIds[i - 1] ?? '') }));
  const clients = await scene.clients({ count: peerIds.length, dir, config: { client: { relays: relays.map(({ addr }) => addr), ...client } }, configs });
  const ports = (await clients.forwardPorts()).filter((port) => port !== undefined);
  return { clients, ports };
}

function exposing(to: number, peer: string): object {
  return { expose: [{ name: 'service', to: `127.0.0.1:${to}`, allow: [peer] }] };
}

function forwarding(peer: string): object {
  return { forward: [{ listen: '127.0.0.1:0', peer, name: 'service' }] };
}

/** A TCP service on loopback, for the time of a row. @returns its port */
export async function service(scene: Scene, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scene.defer(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A connection to a local port of a client. */
export async function dialPort(scene: Scene, port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  scene.defer(() => void socket.destroy());
  await within(once(socket, 'connect'), `port ${port}`, CONNECT_MS);
  return socket.on('error', () => {});
}
