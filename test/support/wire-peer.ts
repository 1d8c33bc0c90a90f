import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { readFrame, writeFrame } from '../../src/lib/circuit/frames.ts';
import { decodeHop, decodeStop, encodeHop, encodeStop } from '../../src/lib/circuit/messages.ts';
import type { HopMessage, StopMessage } from '../../src/lib/circuit/messages.ts';
import { HOP_PROTOCOL, STOP_PROTOCOL, Status } from '../../src/lib/circuit/protocol.ts';
import { PATIENCE_MS, within } from './waiting.ts';

/** The reply to a request, and the stream that it came on: for an accepted CONNECT, the circuit. */
export type Answer = HopMessage & { stream: Stream };

/** A STOP request as it reached a target, after its script has run. */
export interface Incoming {
  request: StopMessage;
  stream: Stream;
  connection: Connection;
}

/** What a target does with a STOP request that it has read. */
export type StopScript = (incoming: Incoming) => Promise<void> | void;

export interface WirePeerOptions {
  /** The source address of its connections: any of 127.0.0.0/8. */
  from?: string;
  stop?: StopScript;
}

const WINDOW_BYTES = 256 * 1024;

/** Accepts the circuit. */
export const accept: StopScript = ({ stream }) => writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.OK }));

/**
 * A peer that speaks HOP and STOP by hand: it sends what a test says and shows the reply as it came. It has no
 * other protocol, no listener, and a window that does not grow.
 */
export class WirePeer {
  readonly node: Libp2p;
  /** What STOP is answered with; a test may change it at any time. */
  script: StopScript;
  #relay: Connection | undefined;
  readonly #incoming: Incoming[] = [];
  readonly #wanted: ((incoming: Incoming) => void)[] = [];

  private constructor(node: Libp2p, script: StopScript) {
    this.node = node;
    this.script = script;
  }

  static async start(options: WirePeerOptions = {}): Promise<WirePeer> {
    const peer = new WirePeer(await makeNode(options.from), options.stop ?? accept);
    await peer.node.handle(STOP_PROTOCOL, (stream, connection) => peer.#onStop(stream, connection), { maxInboundStreams: 10_000, runOnLimitedConnection: true });
    return peer;
  }

  get peerId(): PeerId {
    return this.node.peerId;
  }

  /** The open connection to the relay. */
  get connection(): Connection {
    if (this.#relay === undefined) throw new Error('this peer is not connected');
    return this.#relay;
  }

  async connect(relayAddr: string): Promise<Connection> {
    this.#relay = await this.node.dial(multiaddr(relayAddr), { signal: AbortSignal.timeout(PATIENCE_MS), force: true });
    return this.#relay;
  }

  openHop(connection = this.connection): Promise<Stream> {
    return connection.newStream([HOP_PROTOCOL], { signal: AbortSignal.timeout(PATIENCE_MS), maxOutboundStreams: 100_000 });
  }

  async request(message: HopMessage, options: { connection?: Connection; timeoutMs?: number } = {}): Promise<Answer> {
    const stream = await this.openHop(options.connection);
    writeFrame(stream, encodeHop(message));
    const reply = decodeHop(await readFrame(stream, { signal: AbortSignal.timeout(options.timeoutMs ?? 2 * PATIENCE_MS) }));
    return { ...reply, stream };
  }

  /** RESERVE; the stream is closed from this side too. */
  async reserve(connection?: Connection): Promise<Answer> {
    const answer = await this.request({ type: 'RESERVE' }, { connection });
    await answer.stream.close().catch(() => {});
    return answer;
  }

  connectTo(target: PeerId): Promise<Answer> {
    return this.request({ type: 'CONNECT', peer: { id: target.toMultihash().bytes, addrs: [] } });
  }

  /** The next STOP request that no one has taken yet. */
  nextIncoming(): Promise<Incoming> {
    const next = this.#incoming.shift();
    return next !== undefined ? Promise.resolve(next) : within(new Promise((resolve) => this.#wanted.push(resolve)), 'a STOP request');
  }

  /** Leaves the relay, in good order or as a machine that loses its network does. */
  async disconnect(how: 'close' | 'abort' = 'close'): Promise<void> {
    if (how === 'abort') this.connection.abort(new Error('dropped by the test'));
    else await this.connection.close();
  }

  async stop(): Promise<void> {
    this.node.getConnections().forEach((connection) => connection.abort(new Error('the test is over')));
    await this.node.stop();
  }

  async #onStop(stream: Stream, connection: Connection): Promise<void> {
    const request = decodeStop(await readFrame(stream, { signal: AbortSignal.timeout(PATIENCE_MS) }));
    const incoming = { request, stream, connection };
    await this.script(incoming);
    const wanted = this.#wanted.shift();
    if (wanted !== undefined) wanted(incoming);
    else this.#incoming.push(incoming);
  }
}

async function makeNode(from: string | undefined): Promise<Libp2p> {
  return createLibp2p({
    privateKey: await generateKeyPair('Ed25519'),
    addresses: { listen: [] },
    transports: [tcp(from === undefined ? {} : { dialOpts: { localAddress: from } as object })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ enableKeepAlive: false, maxInboundStreams: 100_000, maxOutboundStreams: 100_000, streamOptions: { initialStreamWindowSize: WINDOW_BYTES, maxStreamWindowSize: WINDOW_BYTES } })],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
  });
}
