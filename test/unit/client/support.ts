import { noise } from '@chainsafe/libp2p-noise';
import { circuitRelayServer } from '@libp2p/circuit-relay-v2';
import type { CircuitRelayServerInit } from '@libp2p/circuit-relay-v2';
import { identify, identifyPush } from '@libp2p/identify';
import type { ConnectionGater, Libp2p, PeerRouting, PrivateKey, Stream } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import net from 'node:net';
import { Registry } from 'prom-client';
import { ClientDialler, ClientSupervisor, circuitTransport, clientService } from '../../../src/client/index.ts';
import type { ClientComponents, ClientService, SupervisorSettings } from '../../../src/client/index.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { DirectoryEndpoint } from '../../../src/lib/directory/endpoint.ts';
import { silentLogger } from '../../../src/lib/logger.ts';

const stack = {
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 1000 },
  connectionMonitor: { enabled: false },
};

export type TestNode = Libp2p & AsyncDisposable;

function disposable(node: Libp2p): TestNode {
  return Object.assign(node, { [Symbol.asyncDispose]: async () => await node.stop() });
}

/** The library's own relay server on loopback, as a relay that is not ours. */
export async function stockRelay(options: { port?: number; privateKey?: PrivateKey; reservations?: CircuitRelayServerInit['reservations'] } = {}): Promise<TestNode> {
  const node = await createLibp2p({
    ...stack,
    privateKey: options.privateKey,
    addresses: { listen: [`/ip4/127.0.0.1/tcp/${options.port ?? 0}`] },
    transports: [tcp()],
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      relay: circuitRelayServer({ reservations: { maxReservations: 100, applyDefaultLimit: false, ...options.reservations } }),
    },
  });
  return disposable(node);
}

/** A node that offers identify and ping and nothing else. */
export async function plainNode(): Promise<TestNode> {
  const node = await createLibp2p({
    ...stack,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    services: { identify: identify(), ping: ping() },
  });
  return disposable(node);
}

export interface TestClient extends AsyncDisposable {
  libp2p: Libp2p<{ client: ClientService }>;
  components: ClientComponents;
  supervisor: ClientSupervisor;
  dialler: ClientDialler;
  registry: Registry;
  id: string;
}

export interface TestClientOptions extends Partial<SupervisorSettings> {
  listen?: string[];
  announce?: string[];
  gater?: ConnectionGater;
  /** What a DHT would find; given, the dialler looks peers up. */
  findPeer?: PeerRouting['findPeer'];
  muxer?: Parameters<typeof yamux>[0];
  /** Of the supervisor; what is near 0 makes it wait little before it tries again. */
  random?: () => number;
  /** Of the transport alone. */
  transportClock?: Clock;
}

/** A node with our client, started; it listens nowhere unless told to. */
export async function testClient(options: TestClientOptions = {}): Promise<TestClient> {
  const registry = new Registry();
  const libp2p = await createLibp2p({
    ...stack,
    streamMuxers: [yamux(options.muxer)],
    addresses: { listen: options.listen ?? [], announce: options.announce ?? [] },
    connectionGater: options.gater,
    transports: [tcp(), circuitTransport({ registry, clock: options.transportClock })],
    peerRouters: options.findPeer === undefined ? [] : [() => ({ findPeer: options.findPeer }) as PeerRouting],
    services: { identify: identify(), identifyPush: identifyPush({ debounce: 10 }), ping: ping(), client: clientService() },
  });
  const { components } = libp2p.services.client;
  const settings = { relays: [], bootstrap: [], desired: 2, when: 'auto' as const, prefer: [], avoid: [], probe: { intervalMs: 5000, timeoutMs: 3000 }, allowPrivate: true, ...options };
  const directory = new DirectoryEndpoint({ host: libp2p, clock: systemClock, log: silentLogger });
  await directory.start();
  const supervisor = new ClientSupervisor({ components, settings, directory, log: silentLogger, registry, random: options.random });
  const dialler = new ClientDialler({ components, registry, relays: supervisor, lookup: options.findPeer !== undefined });
  supervisor.start();
  return {
    libp2p,
    components,
    supervisor,
    dialler,
    registry,
    id: libp2p.peerId.toString(),
    [Symbol.asyncDispose]: async () => {
      dialler.stop();
      supervisor.stop();
      await directory.stop();
      await libp2p.stop();
    },
  };
}

export function addrOf(node: Libp2p): string {
  const addr = node.getMultiaddrs()[0];
  if (addr === undefined) throw new Error('the node listens nowhere');
  return addr.toString();
}

/** Resolves when `condition` holds; it is looked at every 10 ms. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Resolves when `stream` takes data again. Not `stream.onDrain()`: its promise is made once, so that it waits the
 * first time only.
 */
export async function drained(stream: Pick<Stream, 'addEventListener' | 'removeEventListener' | 'writableNeedsDrain'>, timeoutMs = 20_000): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  while (stream.writableNeedsDrain) {
    await new Promise<void>((resolve, reject) => {
      stream.addEventListener('drain', () => setImmediate(resolve), { once: true, signal });
      stream.addEventListener('close', () => reject(new Error('the stream closed')), { once: true, signal });
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }
}

export interface SilentServer extends AsyncDisposable {
  port: number;
}

/** A TCP server that accepts and says nothing: what a frozen process looks like. */
export async function silentServer(port = 0): Promise<SilentServer> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const { port: bound } = server.address() as net.AddressInfo;
  return {
    port: bound,
    [Symbol.asyncDispose]: async () => {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface FreezableProxy extends AsyncDisposable {
  port: number;
  /** Bytes go no further in either direction; connections are still accepted. */
  freeze(): void;
  thaw(): void;
}

/** A TCP proxy to `target` on loopback that can stand still, as a relay under SIGSTOP does. */
export async function freezableProxy(target: number): Promise<FreezableProxy> {
  const sockets = new Set<net.Socket>();
  let frozen = false;
  const track = (socket: net.Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (frozen) socket.pause();
  };
  const server = net.createServer((inside) => {
    const outside = net.connect(target, '127.0.0.1');
    track(inside);
    track(outside);
    inside.on('data', (data) => outside.write(data));
    outside.on('data', (data) => inside.write(data));
    inside.on('close', () => outside.destroy());
    outside.on('close', () => inside.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    freeze: () => {
      frozen = true;
      sockets.forEach((socket) => socket.pause());
    },
    thaw: () => {
      frozen = false;
      sockets.forEach((socket) => socket.resume());
    },
    [Symbol.asyncDispose]: async () => {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The value of a series, such as `libp2p_autorelay_status` or `…_total{type="added"}` with labels in order. */
export async function metric(registry: Registry, series: string): Promise<number | undefined> {
  const line = (await registry.metrics()).split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}
