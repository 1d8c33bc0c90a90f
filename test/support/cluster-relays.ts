import type { PeerId, PrivateKey, Stream } from '@libp2p/interface';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { lookup } from 'node:dns';
import { Registry } from 'prom-client';
import type { ClassLimits, RelayConfig } from '../../src/config/domain.ts';
import { ManualClock, systemClock } from '../../src/lib/clock.ts';
import type { HopMessage } from '../../src/lib/circuit/messages.ts';
import { RelaydError } from '../../src/lib/errors.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import type { RequestTracer } from '../../src/lib/tracing/request-tracer.ts';
import type { ClusterTerms } from '../../src/relay/global/terms.ts';
import { RelayService } from '../../src/relay/index.ts';
import { dataPath } from '../../src/transport/index.ts';
import { Scrape } from '../interop/support/metrics.ts';
import { FakeCluster } from './fake-cluster.ts';
import { FakeVerifier, membersOnly } from './fake-verifier.ts';
import { PATIENCE_MS, until } from './waiting.ts';
import { WirePeer } from './wire-peer.ts';
import type { Incoming, WirePeerOptions } from './wire-peer.ts';

const ANYONE = { allow: [], deny: [] };

/** Nothing that a test could run into without meaning to. */
export const ROOMY: ClassLimits = {
  reservations: { max: 1000, perPrefix: Infinity, perAsn: Infinity, ttlMs: 3_600_000 },
  circuits: { max: 10_000, perSource: 10_000, perTarget: 10_000, pending: 10_000, durationMs: Infinity, bytesPerDirection: Infinity, idleMs: Infinity },
  rates: { reservePerPeer: undefined, reservePerPrefix: undefined, connectPerPeer: undefined, connectPerPrefix: undefined },
  bandwidth: { perCircuit: Infinity, perPeer: Infinity, total: Infinity },
  memory: { perDirection: 256 * 1024, total: Infinity },
};

export const roomyCircuits = (set: Partial<ClassLimits['circuits']>): ClassLimits => ({ ...ROOMY, circuits: { ...ROOMY.circuits, ...set } });

export interface ClusterRelayOptions {
  readonly config?: Partial<RelayConfig>;
  /** Members by their ids; a member by token where there is an authority. */
  readonly realm?: { name?: string; members?: readonly string[]; authority?: string };
  readonly tracer?: RequestTracer;
  /** Peers of the relay's own check. */
  readonly internalPeers?: ReadonlySet<string>;
  readonly clusterAddrs?: () => readonly Multiaddr[];
  /** What is counted over the cluster; nothing without it. */
  readonly clusterLimits?: ClusterTerms;
  /** `network.dataPath`. */
  readonly path?: 'native' | 'stock';
}

/** What one relay knows of the others, as a test says; streams run over real connections. */
class LinkedCluster extends FakeCluster {
  readonly #node: () => Libp2p;
  /** What opening a stream waits for; a test may make it fail. */
  beforeStream: (relay: string, signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  constructor(node: () => Libp2p) {
    super();
    this.#node = node;
  }

  override async openStream(relay?: string, protocol?: string, signal?: AbortSignal): Promise<Stream> {
    if (relay === undefined || protocol === undefined || signal === undefined) throw new TypeError('a stream to whom?');
    await this.beforeStream(relay, signal);
    const [connection] = this.#node().getConnections(peerIdFromString(relay));
    if (connection === undefined) {
      throw new RelaydError('CLOSED', 'there is no link to that relay');
    }
    return connection.newStream([protocol], { signal });
  }
}

/** One relay: its service alone on a libp2p node of its own, on loopback. */
export class ClusterRelay {
  readonly node: Libp2p;
  readonly service: RelayService;
  readonly cluster: LinkedCluster;
  readonly registry = new Registry();
  readonly verifier = new FakeVerifier();
  readonly clock = new ManualClock();
  #up = true;

  static async start(options: ClusterRelayOptions): Promise<ClusterRelay> {
    const privateKey = await generateKeyPair('Ed25519');
    const relay = new ClusterRelay(await makeNode(privateKey, options.path ?? 'native'), privateKey, options);
    await relay.service.start();
    return relay;
  }

  private constructor(node: Libp2p, privateKey: PrivateKey, { config, realm, tracer, clusterAddrs, clusterLimits, internalPeers }: ClusterRelayOptions) {
    this.node = node;
    this.cluster = new LinkedCluster(() => node);
    this.service = new RelayService({
      host: {
        peerId: node.peerId,
        privateKey,
        handle: (protocol, handler, options) => node.handle(protocol, handler, options),
        unhandle: (protocol) => node.unhandle(protocol),
        getConnections: (peer) => node.getConnections(peer),
        getMultiaddrs: () => node.getMultiaddrs(),
        addEventListener: (type, listener) => node.addEventListener(type, listener),
        removeEventListener: (type, listener) => node.removeEventListener(type, listener),
      },
      config: { open: true, limits: ROOMY, memberLimits: ROOMY, prefixes: { ipv4: 32, ipv6: [56], exempt: [] }, asnFile: undefined, maxEventLoopDelayMs: Infinity, region: undefined, alternatives: [], access: { reserve: ANYONE, connect: ANYONE, target: ANYONE }, ...config },
      realm: { ...membersOnly([]), ...realm },
      verifier: this.verifier,
      internalPeers: internalPeers ?? new Set(),
      eventLoopDelayMs: () => 0,
      addresses: { announced: false, allowPrivate: true },
      directory: undefined,
      cluster: this.cluster,
      tracer,
      clusterAddrs,
      clusterLimits,
      version: '0.0.0',
      clock: this.clock,
      log: silentLogger,
      registry: this.registry,
    });
  }

  get peerId(): PeerId {
    return this.node.peerId;
  }

  get id(): string {
    return this.node.peerId.toString();
  }

  get addr(): string {
    const addr = this.node.getMultiaddrs()[0];
    if (addr === undefined) throw new Error('the relay has no address');
    return addr.toString();
  }

  /** A connection to `other`, over which the two know each other as relays of one cluster. */
  async link(other: ClusterRelay): Promise<void> {
    await this.node.dial(multiaddr(other.addr), { signal: AbortSignal.timeout(PATIENCE_MS) });
    this.cluster.relays.add(other.id);
    other.cluster.relays.add(this.id);
  }

  /** The registry says that `relays` hold a reservation of `peer`'s. */
  knows(peer: { readonly peerId: PeerId }, ...relays: readonly ClusterRelay[]): void {
    this.cluster.elsewhere.set(peer.peerId.toString(), relays.map(({ id }) => id));
  }

  /** @throws Error when there is no such series: labels are seeded at zero */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    return new Scrape(await this.registry.metrics()).value(name, labels);
  }

  /** Every connection is lost at once, as when the process is killed. */
  kill(): void {
    this.node.getConnections().forEach((connection) => connection.abort(new Error('the relay is killed')));
  }

  async stop(): Promise<void> {
    if (!this.#up) return;
    this.#up = false;
    await this.service.stop();
    this.kill();
    await this.node.stop();
  }
}

/** Relays of one cluster, each linked with each, and the peers that a test connects to them; all end with the test. */
export class ClusterRelays {
  readonly #relays: ClusterRelay[] = [];
  readonly #peers: WirePeer[] = [];

  async add(options: ClusterRelayOptions = {}): Promise<ClusterRelay> {
    const relay = await ClusterRelay.start(options);
    for (const other of this.#relays) await relay.link(other);
    this.#relays.push(relay);
    return relay;
  }

  async pair(entry: ClusterRelayOptions = {}, exit: ClusterRelayOptions = entry): Promise<{ entry: ClusterRelay; exit: ClusterRelay }> {
    return { entry: await this.add(entry), exit: await this.add(exit) };
  }

  async peer(relay: ClusterRelay, options: WirePeerOptions = {}): Promise<WirePeer> {
    const peer = await WirePeer.start(options);
    this.#peers.push(peer);
    await peer.connect(relay.addr);
    return peer;
  }

  /** A peer that is reserved at `relay`, as all others know. */
  async reserved(relay: ClusterRelay, options: WirePeerOptions = {}): Promise<WirePeer> {
    const peer = await this.peer(relay, options);
    const { status } = await peer.reserve();
    if (status !== 100) throw new Error(`RESERVE was answered ${status}`);
    this.#relays.filter((other) => other !== relay).forEach((other) => other.knows(peer, relay));
    return peer;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#peers.splice(0).map((peer) => peer.stop()));
    await Promise.all(this.#relays.splice(0).map((relay) => relay.stop()));
  }
}

export interface OpenCircuit {
  readonly near: Stream;
  readonly far: Stream;
  /** As the target was asked. */
  readonly request: Incoming['request'];
  readonly reply: HopMessage;
}

/** @throws Error unless the circuit is accepted */
export async function openCircuit(source: WirePeer, target: WirePeer): Promise<OpenCircuit> {
  const { stream: near, ...reply } = await source.connectTo(target.peerId);
  if (reply.status !== 100) throw new Error(`CONNECT was answered ${reply.status} (${reply.refusal?.limit})`);
  const { stream: far, request } = await target.nextIncoming();
  return { near, far, request, reply };
}

/** What a source is told. */
export const answerOf = ({ status, refusal }: HopMessage): unknown[] => [status, refusal?.limit];

/** Circuits that `relay` has open, those being set up included. */
export const circuitsAt = (relay: ClusterRelay): number => relay.service.counts().circuits.count;

/** Waits until nothing is relayed or held. */
export async function untilOver(...relays: readonly ClusterRelay[]): Promise<void> {
  for (const relay of relays) await until(() => circuitsAt(relay) === 0 && relay.service.counts().bufferedBytes === 0, 'every circuit to be over');
}

/** More connections from one address than the library lets in. */
const NO_LIMIT = 1_000_000;

async function makeNode(privateKey: PrivateKey, path: 'native' | 'stock'): Promise<Libp2p> {
  return createLibp2p({
    privateKey,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    ...dataPath(path, { security: ['noise'], swarmKey: undefined, windowBytes: ROOMY.memory.perDirection, lookup, clock: systemClock }),
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { maxConnections: NO_LIMIT, inboundConnectionThreshold: NO_LIMIT, maxIncomingPendingConnections: NO_LIMIT },
    connectionMonitor: { enabled: false },
  });
}
