import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server } from 'node:net';
import { freePort } from '../../free-port.ts';
import { Again } from '../scene.ts';
import type { Scene } from '../scene.ts';
import type { Stage } from '../stage.ts';

const CALL_EVERY_MS = 200;

async function serve(port: number): Promise<Server> {
  const server = createServer((socket) => socket.end('hello')).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** A client at home that exposes a service, and one away that forwards a port to it. */
export async function tunnelPair(stage: Stage, relay: { addr: string }): Promise<{ forwardPort: number; down(): Promise<void>; up(): Promise<void> }> {
  const [servicePort, forwardPort] = [await freePort(), await freePort()];
  const clients = { relays: [relay.addr], desired: 1 };
  const allow = [await stage.fleet.peerId('away')];
  await stage.node('home', { role: 'client', config: { client: clients, tunnels: { expose: [{ name: 'web', to: `127.0.0.1:${servicePort}`, allow }] } } });
  await stage.node('away', { role: 'client', config: { client: clients, tunnels: { forward: [{ listen: `127.0.0.1:${forwardPort}`, peer: await stage.fleet.peerId('home'), name: 'web' }] } } });
  let server = await serve(servicePort);
  stage.defer(() => void server.close());
  return {
    forwardPort,
    down: () => new Promise((resolve) => server.close(() => resolve())),
    up: async () => void (server = await serve(servicePort)),
  };
}

/** One connection through the tunnel, until it is over. */
export function call(port: number): Promise<void> {
  return new Promise((resolve) => {
    connect({ host: '127.0.0.1', port }).on('error', () => {}).on('close', () => resolve()).resume();
  });
}

export const TUNNELS: Scene = {
  name: 'tunnels',
  title: 'the service behind a tunnel is down',
  alerts: ['RelaydTunnelsFailing'],
  async run(stage) {
    const relay = await stage.node('relay', { role: 'relay' });
    const { forwardPort, down, up } = await tunnelPair(stage, relay);
    const calling = new Again(CALL_EVERY_MS, () => call(forwardPort));
    stage.defer(() => calling.stop());
    calling.start();
    await stage.measure(['RelaydTunnelsFailing'], {
      what: 'the service that is called five times a second through a tunnel stops; it is started again',
      break: down,
      repair: up,
    });
  },
};
