import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, Listener, MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { lookup } from 'node:dns';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext, setDefaultCACertificates } from 'node:tls';
import type { TestContext } from 'node:test';
import { TcpPorts } from '../../../src/transport/native/tcp-ports.ts';
import { nativeTcp } from '../../../src/transport/native/tcp.ts';
import { webSockets } from '../../../src/transport/websocket/transport.ts';
import { WebAuthority } from '../../support/certificate.ts';
import { within } from '../../support/waiting.ts';
import { silent } from './link-rig.ts';

/** Trusted by everything in this process. */
export const authority = new WebAuthority();
setDefaultCACertificates([authority.cert]);

const privateKey = await generateKeyPair('Ed25519');

export interface Rig {
  readonly tcp: Transport;
  readonly ws: Transport;
  readonly addrs: Multiaddr[];
  readonly port: number;
  readonly listeners: readonly Listener[];
  /** The next connection that came in. */
  accepted(): Promise<MultiaddrConnection>;
}

/** An upgrader that leaves connections as they are. */
export function plainUpgrader(onInbound: (connection: MultiaddrConnection) => Promise<void> | void = () => undefined): Upgrader {
  const upgrader: Partial<Upgrader> = {
    upgradeOutbound: async (connection: MultiaddrConnection) => connection as unknown as Connection,
    upgradeInbound: async (connection: MultiaddrConnection) => await onInbound(connection),
  };
  return upgrader as Upgrader;
}

/** Listeners on one port of loopback for each of `kinds`: '' for TCP, '/ws', '/tls/ws'. They go with the test. */
export async function listening(context: TestContext, kinds: readonly string[], tls = authority.issue()): Promise<Rig> {
  const arrived: MultiaddrConnection[] = [];
  const waiting: ((connection: MultiaddrConnection) => void)[] = [];
  const upgrader = plainUpgrader((connection) => {
    const next = waiting.shift();
    if (next === undefined) arrived.push(connection);
    else next(connection);
  });
  const secureContext = createSecureContext(tls);
  const ports = new TcpPorts();
  const tcp = nativeTcp({ lookup, ports })({ logger: silent });
  const ws = webSockets({ lookup, ports, certificate: () => secureContext })({ logger: silent, privateKey });
  const port = await freePort();
  const listeners = await Promise.all(
    kinds.map(async (kind) => {
      const listener = (kind === '' ? tcp : ws).createListener({ upgrader });
      await listener.listen(multiaddr(`/ip4/127.0.0.1/tcp/${port}${kind}`));
      context.after(() => listener.close());
      return listener;
    }),
  );
  return {
    tcp,
    ws,
    port,
    listeners,
    addrs: listeners.flatMap((listener) => listener.getAddrs()),
    accepted: () => within(new Promise((resolve) => (arrived.length > 0 ? resolve(arrived.shift() as MultiaddrConnection) : waiting.push(resolve))), 'a connection'),
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A socket of the test's own, for what no library sends. */
export async function rawSocket(context: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  context.after(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the other side ends. */
export async function readAll(connection: MultiaddrConnection): Promise<Buffer> {
  const pieces: Buffer[] = [];
  connection.addEventListener('message', (event) => pieces.push(Buffer.from(event.data.subarray())));
  if (connection.status === 'open') {
    await within(new Promise((resolve) => connection.addEventListener('close', resolve, { once: true })), 'the connection to close');
  }
  return Buffer.concat(pieces);
}
