import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { noise } from '@chainsafe/libp2p-noise';
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import type { Connection, Libp2p } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { ExposeConfig, ForwardConfig } from '../../src/config/domain.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { Dialler, TunnelRow } from '../../src/lib/contracts.ts';
import type { Logger } from '../../src/lib/logger.ts';
import { Tunnels } from '../../src/tunnel/index.ts';
import type { TunnelLimits } from '../../src/tunnel/limits.ts';
import { FakeVerifier } from '../support/fake-verifier.ts';

const LOOPBACK = '127.0.0.1';
export const KiB = 1024;
export const MiB = 1024 * KiB;

/** What the daemon sets: a window that does not grow, and room for many streams. */
const muxer = (): ReturnType<typeof yamux> => yamux({ maxInboundStreams: 8192, maxOutboundStreams: 8192, streamOptions: { maxStreamWindowSize: 256 * KiB } });

export function startNode(): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: [`/ip4/${LOOPBACK}/tcp/0`] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [muxer()],
    connectionGater: { denyDialMultiaddr: () => false },
  });
}

/** A stock relay; without `limitBytes` its circuits have no limits. */
export function startRelay(limitBytes?: bigint): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: [`/ip4/${LOOPBACK}/tcp/0`] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [muxer()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), relay: circuitRelayServer({ reservations: limitBytes === undefined ? { applyDefaultLimit: false } : { defaultDataLimit: limitBytes } }) },
  });
}

/** A client that is reachable only through `relays`, if any. */
export function startClient(relays: Libp2p[]): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: relays.map((relay) => `${String(relay.getMultiaddrs()[0])}/p2p-circuit`) },
    transports: [tcp(), circuitRelayTransport({ reservationConcurrency: 4 })],
    connectionEncrypters: [noise()],
    streamMuxers: [muxer()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify() },
  });
}

/** Dials an open connection if there is one, else the addresses in their order; counts its dials. */
export class TestDialler implements Dialler {
  readonly #node: Libp2p;
  readonly addrs: Multiaddr[];
  /** Peers asked for. */
  asked: string[] = [];
  /** Connections opened. */
  opened: Connection[] = [];
  /** Set by a test to fail every dial. */
  failWith: Error | undefined;

  constructor(node: Libp2p, addrs: Multiaddr[]) {
    this.#node = node;
    this.addrs = addrs;
  }

  async dial(target: string, { signal }: { signal: AbortSignal }): ReturnType<Dialler['dial']> {
    this.asked.push(target);
    if (this.failWith !== undefined) {
      throw this.failWith;
    }
    const open = this.#node.getConnections().find((connection) => connection.remotePeer.toString() === target && connection.status === 'open');
    const connection = open ?? (await this.#dialFirst(signal));
    const relayed = connection.remoteAddr.toString().includes('/p2p-circuit');
    return { connection, path: relayed ? 'relay' : 'direct', via: undefined, dialMs: 0 };
  }

  async #dialFirst(signal: AbortSignal): Promise<Connection> {
    let failure: unknown = new Error('no address');
    for (const addr of this.addrs) {
      try {
        const connection = await this.#node.dial(addr, { signal });
        this.opened.push(connection);
        return connection;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}

export interface LogLine {
  level: number;
  msg: string;
  error?: string;
  [key: string]: unknown;
}

/** A logger that keeps its lines. */
function keepingLogger(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const log = pino({ level: 'debug', base: undefined }, { write: (text: string) => lines.push(JSON.parse(text) as LogLine) });
  return { log, lines };
}

export interface Side {
  node: Libp2p;
  tunnels: Tunnels;
  lines: LogLine[];
  registry: Registry;
}

export interface Rig {
  exposer: Side;
  forwarder: Side;
  dialler: TestDialler;
  /** The first forward's port. */
  port: number;
  stop(): Promise<void>;
}

export interface RigOptions {
  exposerNode: Libp2p;
  forwarderNode: Libp2p;
  addrs: Multiaddr[];
  to: number;
  /** The services asked for, one forward each; `echo` is the one exposed. */
  names?: string[];
  /** Who may use it; the forwarder unless said otherwise. */
  allow?: string[];
  exposeLimits?: Partial<TunnelLimits>;
  forwardLimits?: Partial<TunnelLimits>;
  /** Of both sides. */
  clock?: Clock;
}

/** Two nodes with tunnels between them. */
export async function startRig(options: RigOptions): Promise<Rig> {
  const { exposerNode, forwarderNode, to } = options;
  const allow = options.allow ?? [forwarderNode.peerId.toString()];
  const dialler = new TestDialler(forwarderNode, options.addrs);
  const expose: ExposeConfig[] = [{ name: 'echo', to: { host: LOOPBACK, port: to }, allow }];
  const forward: ForwardConfig[] = (options.names ?? ['echo']).map((name) => ({ listen: { host: LOOPBACK, port: 0 }, peer: exposerNode.peerId.toString(), name }));
  const exposer = makeSide(exposerNode, dialler, { expose, forward: [] }, options.exposeLimits, options.clock);
  const forwarder = makeSide(forwarderNode, dialler, { expose: [], forward }, options.forwardLimits, options.clock);
  await exposer.tunnels.start();
  await forwarder.tunnels.start();
  const stop = async (): Promise<void> => {
    await forwarder.tunnels.stop();
    await exposer.tunnels.stop();
    // One after the other: two nodes that close one connection at the same time wait for each other.
    await forwarderNode.stop();
    await exposerNode.stop();
  };
  return { exposer, forwarder, dialler, port: forwarder.tunnels.forwardPorts()[0]!, stop };
}

export function makeSide(node: Libp2p, dialler: Dialler, config: { expose: ExposeConfig[]; forward: ForwardConfig[] }, limits: Partial<TunnelLimits> = {}, clock: Clock = systemClock): Side {
  const { log, lines } = keepingLogger();
  const registry = new Registry();
  const tunnels = new Tunnels({ ...config, libp2p: node, dialler, verifier: new FakeVerifier(), token: () => undefined, log, registry, clock, limits });
  return { node, tunnels, lines, registry };
}

/** Two directly connected nodes with tunnels between them. */
export async function startDirectRig(options: Omit<RigOptions, 'exposerNode' | 'forwarderNode' | 'addrs'>): Promise<Rig> {
  const [exposerNode, forwarderNode] = await Promise.all([startNode(), startNode()]);
  return startRig({ ...options, exposerNode, forwarderNode, addrs: exposerNode.getMultiaddrs() });
}

/** A TCP server on loopback whose connections are known and ended with it. */
export class TestServer {
  readonly #server: Server;
  readonly sockets = new Set<Socket>();

  constructor(onSocket: (socket: Socket) => void, options: { pauseOnConnect?: boolean } = {}) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, ...options }, (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
      onSocket(socket);
    });
  }

  async start(): Promise<number> {
    this.#server.listen(0, LOOPBACK);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.sockets.forEach((socket) => socket.destroy());
    if (this.#server.listening) {
      this.#server.close();
      await once(this.#server, 'close');
    }
  }

  /** The next connection. */
  async next(): Promise<Socket> {
    const [socket] = (await once(this.#server, 'connection')) as [Socket];
    return socket;
  }
}

export const echoServer = (): TestServer => new TestServer((socket) => socket.pipe(socket));

/** Connects; nothing is read until somebody listens. */
export async function dialTcp(port: number): Promise<Socket> {
  const socket = connect({ host: LOOPBACK, port, allowHalfOpen: true, noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the end. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Reads exactly `bytes` from a flowing start; the rest stays. */
export async function readBytes(socket: Socket, bytes: number): Promise<Buffer> {
  for (;;) {
    const chunk = socket.read(bytes) as Buffer | null;
    if (chunk !== null) return chunk;
    await once(socket, 'readable');
  }
}

/** How a socket ended: `end` when the other side ended cleanly, or the code of its error. */
export function endOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('end', () => resolve('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('close'));
    socket.resume();
  });
}

/** How a new connection to `port` ends; it may be reset before it is known to be open. */
export function endOfNew(port: number): Promise<string> {
  return endOf(connect({ host: LOOPBACK, port, allowHalfOpen: true }));
}

/** Writes `total` bytes of a repeatable pseudo-random text, with backpressure; ends the socket; gives the sha256. */
export async function writeRandom(socket: Socket, total: number, seed: number): Promise<string> {
  const hash = createHash('sha256');
  const block = randomBlock(seed);
  for (let left = total, i = 0; left > 0; i++) {
    const piece = block.subarray(i % 251, Math.min(block.byteLength, (i % 251) + left));
    hash.update(piece);
    left -= piece.byteLength;
    if (!socket.write(piece)) await once(socket, 'drain');
  }
  socket.end();
  return hash.digest('hex');
}

/** Bytes that look random and do not repeat within the block; odd length so that it never lines up with frames. */
function randomBlock(seed: number, bytes = 60_013): Buffer {
  const out = Buffer.alloc(bytes);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

export async function hashAll(socket: Socket): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of socket) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).byteLength;
  }
  return { bytes, sha256: hash.digest('hex') };
}

export function row(side: Side, i = 0): TunnelRow {
  const found = side.tunnels.tunnels()[i];
  if (found === undefined) throw new Error(`no tunnel ${i}`);
  return found;
}

/** Waits until `check` holds, looking again after every turn of the event loop; fails at the deadline. */
export async function until(check: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!check()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export async function metric(side: Side, name: string, labels: Record<string, string>): Promise<number> {
  const found = (await side.registry.getSingleMetric(name)?.get())?.values.find((value) => Object.entries(labels).every(([key, text]) => value.labels[key] === text));
  if (found === undefined) throw new Error(`no series ${name} ${JSON.stringify(labels)}`);
  return found.value;
}

