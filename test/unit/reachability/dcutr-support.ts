import type { Connection, IdentifyResult, PeerId, Stream, StreamHandler } from '@libp2p/interface';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { Registry } from 'prom-client';
import { readFrame, writeFrame } from '../../../src/lib/circuit/frames.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { Hole, HolePuncher, PunchRole } from '../../../src/lib/contracts.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { HolePunching } from '../../../src/reachability/index.ts';
import type { DcutrHost } from '../../../src/reachability/dcutr-host.ts';
import { decodeHolePunch, encodeHolePunch } from '../../../src/reachability/dcutr-message.ts';
import { yamuxPair } from '../../support/yamux-pair.ts';

const RELAY_AT = '/ip4/45.0.1.2/tcp/4001';
export const SEEN_AT = '/ip4/45.0.2.2/tcp/40000';

export async function newPeer(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
}

/** A connection of which only what hole punching looks at is there. */
export class FakeLink {
  readonly remotePeer: PeerId;
  readonly remoteAddr: Multiaddr;
  readonly direction: 'inbound' | 'outbound';
  readonly limits = undefined;
  readonly streams: Stream[] = [];
  status: 'open' | 'closed' = 'open';
  /** The peer's ends of the streams that were opened to it, in their order. */
  readonly opened: Stream[] = [];
  /** What opening a stream fails with. */
  failure: Error | undefined;
  onStream: (stream: Stream) => void = () => {};

  constructor(remotePeer: PeerId, remoteAddr: string, direction: 'inbound' | 'outbound') {
    this.remotePeer = remotePeer;
    this.remoteAddr = multiaddr(remoteAddr);
    this.direction = direction;
  }

  get connection(): Connection {
    return this as unknown as Connection;
  }

  async newStream(): Promise<Stream> {
    if (this.failure !== undefined) throw this.failure;
    const [near, far] = await yamuxPair().open();
    this.opened.push(far);
    this.onStream(far);
    return near;
  }

  async close(): Promise<void> {
    this.status = 'closed';
  }

  abort(): void {
    this.status = 'closed';
  }
}

interface Dial {
  addr: string;
  signal: AbortSignal;
  result: PromiseWithResolvers<Connection>;
}

/** Hole punching on a host of which only what it asks for is there, and a puncher that a test answers for. */
export class PunchRig {
  readonly clock = new ManualClock();
  readonly registry = new Registry();
  readonly links: FakeLink[] = [];
  /** Plain dials. */
  readonly dials: Dial[] = [];
  /** What the puncher was asked to connect to. */
  readonly punches: { role: PunchRole; addrs: string[]; signal: AbortSignal; result: PromiseWithResolvers<Connection> }[] = [];
  closedHoles = 0;
  /** Where this node is seen; none before a relay has told. */
  seenAt: string | undefined = SEEN_AT;
  /** What the peer store has of the relay. */
  relayAddrs: string[] = [];
  handler: StreamHandler | undefined;
  readonly punching: HolePunching;
  readonly relay: PeerId;
  readonly peer: PeerId;
  readonly #events = new EventTarget();

  static async create(): Promise<PunchRig> {
    const rig = new PunchRig(await newPeer(), await newPeer());
    await rig.punching.start();
    return rig;
  }

  private constructor(relay: PeerId, peer: PeerId) {
    this.relay = relay;
    this.peer = peer;
    this.punching = new HolePunching({
      host: this.#host(),
      punchers: [this.#puncher()],
      mayTell: (addr) => !addr.toString().startsWith('/ip4/127.'),
      clock: this.clock,
      log: silentLogger,
      registry: this.registry,
    });
  }

  /** A circuit with the peer, which this side accepted (it begins) or dialled (it answers). */
  circuit(direction: 'inbound' | 'outbound' = 'inbound', peer = this.peer): FakeLink {
    return this.#open(new FakeLink(peer, `${RELAY_AT}/p2p/${this.relay.toString()}/p2p-circuit/p2p/${peer.toString()}`, direction));
  }

  direct(addr = '/ip4/45.0.3.2/tcp/40001', peer = this.peer): FakeLink {
    return this.#open(new FakeLink(peer, `${addr}/p2p/${peer.toString()}`, 'outbound'));
  }

  identified(link: FakeLink, listenAddrs: string[] = []): void {
    const detail = { connection: link.connection, peerId: link.remotePeer, listenAddrs: listenAddrs.map((addr) => multiaddr(addr)), protocols: [] } as unknown as IdentifyResult;
    this.#events.dispatchEvent(new CustomEvent('peer:identify', { detail }));
  }

  /** The peer opens a stream on `link`. @returns its end, and when the handler is done */
  async incoming(link: FakeLink): Promise<{ stream: Stream; handled: Promise<void> }> {
    const [far, near] = await yamuxPair().open();
    return { stream: far, handled: Promise.resolve(this.handler?.(near, link.connection)) };
  }

  async metric(line: string): Promise<number> {
    const text = await this.registry.metrics();
    const found = text.split('\n').find((one) => one.startsWith(`${line} `));
    return Number(found?.split(' ').at(-1));
  }

  #open(link: FakeLink): FakeLink {
    this.links.push(link);
    this.#events.dispatchEvent(new CustomEvent('connection:open', { detail: link.connection }));
    return link;
  }

  #host(): DcutrHost {
    return {
      events: this.#events as DcutrHost['events'],
      registrar: { handle: async (_protocol, handler) => void (this.handler = handler), unhandle: async () => void (this.handler = undefined) },
      connectionManager: { getConnections: (peer) => this.links.filter(({ remotePeer, status }) => status === 'open' && (peer === undefined || remotePeer.equals(peer))).map(({ connection }) => connection) },
      connectionGater: { denyDialMultiaddr: (addr) => /^\/ip4\/(127|10)\./.test(addr.toString()) },
      transportManager: { dial: (addr, options) => this.#dial(addr, options?.signal ?? new AbortController().signal) },
      peerStore: { get: async () => ({ addresses: this.relayAddrs.map((addr) => ({ multiaddr: multiaddr(addr), isCertified: true })) }) as never },
    };
  }

  #dial(addr: Multiaddr, signal: AbortSignal): Promise<Connection> {
    const result = Promise.withResolvers<Connection>();
    signal.addEventListener('abort', () => result.reject(signal.reason as Error));
    this.dials.push({ addr: addr.toString(), signal, result });
    return result.promise;
  }

  #puncher(): HolePuncher {
    return {
      transport: 'tcp',
      open: async (role) => (this.seenAt === undefined ? [] : [this.#hole(role, multiaddr(this.seenAt))]),
    };
  }

  #hole(role: PunchRole, seenAt: Multiaddr): Hole {
    return {
      seenAt,
      connect: (_peer, addrs, signal) => {
        const result = Promise.withResolvers<Connection>();
        signal.addEventListener('abort', () => result.reject(signal.reason as Error));
        this.punches.push({ role, addrs: addrs.map((addr) => addr.toString().replace(/\/p2p\/.*/, '')), signal, result });
        return result.promise;
      },
      close: () => void (this.closedHoles += 1),
    };
  }
}

/** The peer's part of an exchange that this side began. */
export async function answer(stream: Stream, addrs: string[]): Promise<string[]> {
  const signal = AbortSignal.timeout(10_000);
  const connect = decodeHolePunch(await readFrame(stream, { signal }));
  writeFrame(stream, encodeHolePunch({ type: 'CONNECT', addrs: addrs.map((addr) => multiaddr(addr)) }));
  await readFrame(stream, { signal });
  return connect.addrs.map(String);
}

/** The peer's part of an exchange that it begins. */
export async function begin(stream: Stream, addrs: string[]): Promise<string[]> {
  writeFrame(stream, encodeHolePunch({ type: 'CONNECT', addrs: addrs.map((addr) => multiaddr(addr)) }));
  const connect = decodeHolePunch(await readFrame(stream, { signal: AbortSignal.timeout(10_000) }));
  writeFrame(stream, encodeHolePunch({ type: 'SYNC', addrs: [] }));
  return connect.addrs.map(String);
}
