import type { Connection, PeerId, PrivateKey, Stream, StreamHandler } from '@libp2p/interface';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { readFrame, writeFrame } from '../../src/lib/circuit/frames.ts';
import { decodeHop, decodeStop, encodeHop } from '../../src/lib/circuit/messages.ts';
import type { HopMessage } from '../../src/lib/circuit/messages.ts';
import { HOP_PROTOCOL } from '../../src/lib/circuit/protocol.ts';
import type { RelayHost } from '../../src/relay/index.ts';
import { yamuxPair } from './yamux-pair.ts';
import type { YamuxPair } from './yamux-pair.ts';

type CloseListener = (event: CustomEvent<Connection>) => void;

/** A libp2p node of which only what the relay service asks for is there; its peers are in memory. */
export class FakeHost implements RelayHost {
  readonly privateKey: PrivateKey;
  readonly peerId: PeerId;
  readonly handlers = new Map<string, StreamHandler>();
  readonly listeners = new Set<CloseListener>();
  readonly connections: FakeConnection[] = [];

  static async create(): Promise<FakeHost> {
    return new FakeHost(await generateKeyPair('Ed25519'));
  }

  private constructor(privateKey: PrivateKey) {
    this.privateKey = privateKey;
    this.peerId = peerIdFromPrivateKey(privateKey);
  }

  handle(protocol: string, handler: StreamHandler): Promise<void> {
    this.handlers.set(protocol, handler);
    return Promise.resolve();
  }

  unhandle(protocol: string): Promise<void> {
    this.handlers.delete(protocol);
    return Promise.resolve();
  }

  getConnections(peer: PeerId): Connection[] {
    return this.connections.filter(({ remotePeer }) => remotePeer.equals(peer)).map((connection) => connection.asConnection());
  }

  getMultiaddrs(): Multiaddr[] {
    return [multiaddr('/ip4/127.0.0.1/tcp/4001')];
  }

  addEventListener(_type: 'connection:close', listener: CloseListener): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: 'connection:close', listener: CloseListener): void {
    this.listeners.delete(listener);
  }

  connect(peer: PeerId, addr = '/ip4/192.0.2.7/tcp/1'): FakeConnection {
    const connection = new FakeConnection(this, peer, multiaddr(addr));
    this.connections.push(connection);
    return connection;
  }
}

/** A connection of the fake host to a peer; streams of either side are opened here. */
export class FakeConnection {
  readonly remotePeer: PeerId;
  readonly remoteAddr: Multiaddr;
  readonly limits: { bytes?: bigint } | undefined = undefined;
  readonly timeline = { open: Date.now() };
  status: 'open' | 'closed' = 'open';
  /** What opening a stream to the peer does before it is there; a test may make it fail or wait. */
  beforeStream: (signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  readonly #host: FakeHost;
  /** The peer's streams to the host, and the host's to the peer. */
  readonly #inbound: YamuxPair = yamuxPair();
  readonly #outbound: YamuxPair = yamuxPair();
  readonly #opened: Stream[] = [];
  readonly #wanted: ((stream: Stream) => void)[] = [];

  constructor(host: FakeHost, remotePeer: PeerId, remoteAddr: Multiaddr) {
    this.#host = host;
    this.remotePeer = remotePeer;
    this.remoteAddr = remoteAddr;
  }

  asConnection(): Connection {
    return this as unknown as Connection;
  }

  /** The host opens a stream to the peer. */
  async newStream(_protocols: string[], { signal }: { signal: AbortSignal }): Promise<Stream> {
    await this.beforeStream(signal);
    const [near, far] = await this.#outbound.open();
    const wanted = this.#wanted.shift();
    if (wanted !== undefined) wanted(far);
    else this.#opened.push(far);
    return near;
  }

  /** The peer's end of the next stream that the host opened to it, and the STOP request on it. */
  async stopRequest(): Promise<{ stream: Stream; request: ReturnType<typeof decodeStop> }> {
    const stream = this.#opened.shift() ?? (await new Promise<Stream>((resolve) => this.#wanted.push(resolve)));
    return { stream, request: decodeStop(await readFrame(stream, { signal: AbortSignal.timeout(5_000) })) };
  }

  /** The peer opens a HOP stream. `handled` settles when the handler has. */
  async openHop(): Promise<{ stream: Stream; inner: Stream; handled: Promise<void> }> {
    const handler = this.#host.handlers.get(HOP_PROTOCOL);
    if (handler === undefined) throw new Error('nobody handles HOP');
    const [stream, inner] = await this.#inbound.open();
    return { stream, inner, handled: Promise.resolve(handler(inner, this.asConnection())) };
  }

  async request(message: HopMessage): Promise<HopMessage & { stream: Stream; inner: Stream }> {
    const { stream, inner } = await this.openHop();
    writeFrame(stream, encodeHop(message));
    return { ...decodeHop(await readFrame(stream, { signal: AbortSignal.timeout(15_000) })), stream, inner };
  }

  connectTo(target: PeerId): Promise<HopMessage & { stream: Stream; inner: Stream }> {
    return this.request({ type: 'CONNECT', peer: { id: target.toMultihash().bytes, addrs: [] } });
  }

  /** The peer is gone: the connection is closed, and the host hears of it. */
  close(): void {
    this.status = 'closed';
    this.#host.connections.splice(this.#host.connections.indexOf(this), 1);
    this.#inbound.close();
    this.#outbound.close();
    this.#host.listeners.forEach((listener) => listener(new CustomEvent('connection:close', { detail: this.asConnection() })));
  }
}
