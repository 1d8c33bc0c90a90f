import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Connection, PeerId, PrivateKey, Stream } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { ANSWER_MS, RawStream } from './raw-stream.ts';
import { TimedOut, eventually, within } from './waiting.ts';
import { CONNECTION_FAILED, HOP, HOP_CONNECT, HOP_RESERVE, OK, STOP, STOP_STATUS } from './wire.ts';
import { decodeStop, encodeHop, encodeStop, frame, idBytes } from './wire.ts';
import type { HopMessage, StopMessage } from './wire.ts';
import { join } from './protobuf.ts';
import { listenAddr, peerEncrypter, peerTransports, variant } from './variant.ts';

/** What a reader of these peers gives a sender before it has read anything; it does not grow. */
const WINDOW_BYTES = 256 * 1024;

/** A STOP stream that the relay opened to a peer. */
export interface IncomingStop {
  /** The relay's request; `undefined` when it was not read. */
  message: StopMessage | undefined;
  stream: RawStream;
  connection: Connection;
}

/** What a peer does with a STOP stream; it may read the request first. */
export type StopScript = (stop: IncomingStop) => Promise<void> | void;

/** What a peer does with a HOP stream, when it plays a relay. */
export type HopScript = (stream: RawStream, connection: Connection) => Promise<void> | void;

export interface PeerOptions {
  /** How STOP is answered; without it the peer does not have the protocol. */
  stop?: StopScript;
  /** Plays a relay: how HOP is answered. It then listens on a loopback port. */
  hop?: HopScript;
  /** Can dial through relays (by the library's own transport). */
  circuit?: boolean;
}

export interface Connected {
  reply: HopMessage;
  stream: RawStream;
}

/** A libp2p peer that speaks HOP and STOP by hand: what it sends is what a test says. */
export class RawPeer {
  readonly node: Libp2p;
  readonly key: PrivateKey;
  readonly #stops: IncomingStop[] = [];
  #relay: Connection | undefined;

  private constructor(node: Libp2p, key: PrivateKey) {
    this.node = node;
    this.key = key;
  }

  static async start(options: PeerOptions = {}): Promise<RawPeer> {
    const key = await generateKeyPair('Ed25519');
    const node = await createLibp2p(nodeOptions(key, options));
    const peer = new RawPeer(node, key);
    await peer.#handle(options);
    return peer;
  }

  get peerId(): PeerId {
    return this.node.peerId;
  }

  /** The multihash that stands for this peer in the messages. */
  get id(): Uint8Array {
    return idBytes(this.peerId);
  }

  /** Where a peer that plays a relay listens. */
  get addr(): string {
    const addr = this.node.getMultiaddrs()[0];
    if (addr === undefined) throw new Error('this peer does not listen');
    return addr.toString();
  }

  /** Connects to the relay under test, which the helpers below then use. */
  async connect(addr: string): Promise<Connection> {
    this.#relay = await this.dial(addr);
    return this.#relay;
  }

  dial(addr: string): Promise<Connection> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    return this.node.dial(multiaddr(addr), { force: true, signal });
  }

  /** The connection that `connect` opened. */
  get connection(): Connection {
    if (this.#relay === undefined) throw new Error('this peer is not connected');
    return this.#relay;
  }

  hop(connection = this.connection): Promise<RawStream> {
    return openStream(connection, HOP);
  }

  /** Opens a HOP stream and sends `bytes` as they are. */
  async hopRaw(bytes: Uint8Array, connection = this.connection): Promise<RawStream> {
    const stream = await this.hop(connection);
    stream.send(bytes);
    return stream;
  }

  /** RESERVE; the reply as it came. */
  async reserve(connection = this.connection): Promise<HopMessage> {
    const stream = await this.hopRaw(frame(encodeHop({ type: HOP_RESERVE })), connection);
    const reply = await stream.readHop();
    await stream.closeWrite();
    return reply;
  }

  /** RESERVE which must succeed. */
  async reserved(connection = this.connection): Promise<HopMessage> {
    const reply = await this.reserve(connection);
    if (reply.status !== OK) throw new Error(`a plain RESERVE was answered with ${reply.status}`);
    return reply;
  }

  /** CONNECT to `target`, with `early` right behind it in the same write; the reply as it came. */
  async connectTo(target: { id: Uint8Array }, options: { addrs?: Uint8Array[]; early?: Uint8Array; ms?: number } = {}): Promise<Connected> {
    const request = encodeHop({ type: HOP_CONNECT, peer: { id: target.id, addrs: options.addrs ?? [] } });
    const stream = await this.hopRaw(join(frame(request), options.early ?? new Uint8Array()));
    return { reply: await stream.readHop(options.ms), stream };
  }

  /** The next STOP stream that came and was not taken yet. */
  async nextStop(ms = ANSWER_MS): Promise<IncomingStop> {
    await eventually(() => this.#stops.length > 0, ms, 'waiting for the relay to open STOP');
    const stop = this.#stops.shift();
    if (stop === undefined) throw new TimedOut('waiting for the relay to open STOP', ms);
    return stop;
  }

  /** STOP streams that came and were not taken. */
  get stopsWaiting(): number {
    return this.#stops.length;
  }

  /** Leaves the relay: in good order, or as a machine that loses its network does. */
  async disconnect(how: 'close' | 'abort' = 'close'): Promise<void> {
    // The library's WebSocket cannot drop a connection: it closes with code 1006, which `ws` refuses with an exception, and stays open.
    if (how === 'abort' && variant.over === 'tcp') this.connection.abort(new Error('dropped by the test'));
    else await within(this.connection.close(), ANSWER_MS, 'closing a connection');
  }

  async stop(): Promise<void> {
    for (const connection of this.node.getConnections()) connection.abort(new Error('the test is over'));
    await within(Promise.resolve(this.node.stop()), 5_000, 'stopping a test peer').catch(() => {});
  }

  async #handle(options: PeerOptions): Promise<void> {
    const { stop, hop } = options;
    const settings = { runOnLimitedConnection: true, maxInboundStreams: 1_000, force: true } as const;
    if (stop !== undefined) {
      await this.node.handle(STOP, (stream, connection) => this.#onStop(stream, connection, stop), settings);
    }
    if (hop !== undefined) {
      await this.node.handle(HOP, (stream, connection) => quietly(() => hop(new RawStream(stream), connection)), settings);
    }
  }

  async #onStop(stream: Stream, connection: Connection, script: StopScript): Promise<void> {
    const stop: IncomingStop = { message: undefined, stream: new RawStream(stream), connection };
    await quietly(async () => {
      stop.message = decodeStop(await stop.stream.readFrame());
      this.#stops.push(stop);
      await script(stop);
    });
  }
}

export async function openStream(connection: Connection, protocol: string): Promise<RawStream> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const options = { signal, runOnLimitedConnection: true, maxOutboundStreams: 1_000 };
  return new RawStream(await connection.newStream([protocol], options));
}

/** Answers OK; `also` goes right behind the answer in the same write. */
export function stopOk(also: Uint8Array = new Uint8Array()): StopScript {
  return stopAnswer(join(frame(encodeStop({ type: STOP_STATUS, status: OK })), also));
}

export function stopRefuse(status: number = CONNECTION_FAILED): StopScript {
  return stopAnswer(frame(encodeStop({ type: STOP_STATUS, status })));
}

/** Answers with these bytes, whatever they are. */
export function stopAnswer(bytes: Uint8Array): StopScript {
  return ({ stream }) => stream.send(bytes);
}

export const stopSilent: StopScript = () => {};
export const stopReset: StopScript = ({ stream }) => stream.reset();
export const stopClose: StopScript = ({ stream }) => stream.closeWrite();

/** Answers each STOP by the next script; the last one stays. */
export function stopInTurn(...scripts: StopScript[]): StopScript {
  let turn = 0;
  return (stop) => scripts[Math.min(turn++, scripts.length - 1)]?.(stop);
}

/** A script that fails because its stream went away has nobody to tell: the test sees that at the other end. */
async function quietly(script: () => Promise<void> | void): Promise<void> {
  await Promise.resolve().then(script).catch(() => {});
}

function nodeOptions(key: PrivateKey, options: PeerOptions): Parameters<typeof createLibp2p>[0] {
  const streamOptions = { initialStreamWindowSize: WINDOW_BYTES, maxStreamWindowSize: WINDOW_BYTES };
  return {
    privateKey: key,
    addresses: { listen: options.hop === undefined ? [] : [listenAddr()] },
    transports: options.circuit === true ? [...peerTransports(), circuitRelayTransport()] : peerTransports(),
    connectionEncrypters: [peerEncrypter()],
    streamMuxers: [yamux({ streamOptions, enableKeepAlive: false })],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 100 },
    connectionMonitor: { enabled: false },
    services: { identify: identify({ runOnLimitedConnection: false }), ping: ping() },
  };
}
