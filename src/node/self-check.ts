import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, PrivateKey, Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p, Libp2pOptions } from 'libp2p';
import { randomBytes } from 'node:crypto';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import { decodeHop, decodeStop, encodeHop, encodeStop } from '../lib/circuit/messages.ts';
import type { HopMessage } from '../lib/circuit/messages.ts';
import { HOP_PROTOCOL, STOP_PROTOCOL, Status, statusName } from '../lib/circuit/protocol.ts';

/** What is sent through the relay and must come back. */
const ECHO_BYTES = 64;

/**
 * The readiness check of a relay: two peers of its own, made for the occasion, connect to the real listener; one reserves, the
 * other is connected to it, and a message goes there and back.
 */
export class SelfCheck {
  /** The peer ids of the two, for the relay's `internal` class. */
  readonly peers: ReadonlySet<string>;
  readonly #keys: readonly [PrivateKey, PrivateKey];
  readonly #dataPath: Libp2pOptions;

  /** @param dataPath the transports, encrypters, muxers and protector that the node itself uses */
  static async create(dataPath: Libp2pOptions): Promise<SelfCheck> {
    return new SelfCheck([await generateKeyPair('Ed25519'), await generateKeyPair('Ed25519')], dataPath);
  }

  private constructor(keys: readonly [PrivateKey, PrivateKey], dataPath: Libp2pOptions) {
    this.#keys = keys;
    this.#dataPath = dataPath;
    this.peers = new Set(keys.map((key) => peerIdFromPrivateKey(key).toString()));
  }

  /** @throws Error when any step fails or `signal` aborts */
  async run(relay: Multiaddr, signal: AbortSignal): Promise<void> {
    const [target, source] = await Promise.all(this.#keys.map((key) => this.#makePeer(key)));
    try {
      if (target === undefined || source === undefined) throw new Error('no peers');
      await reserveAndEcho(target, relay, signal);
      await connectAndCompare(source, target, relay, signal);
    } finally {
      await Promise.all([target?.stop(), source?.stop()]);
    }
  }

  async #makePeer(privateKey: PrivateKey): Promise<Libp2p> {
    return createLibp2p({ ...this.#dataPath, privateKey, connectionMonitor: { enabled: false }, connectionGater: { denyDialMultiaddr: () => false } });
  }
}

async function reserveAndEcho(target: Libp2p, relay: Multiaddr, signal: AbortSignal): Promise<void> {
  await target.handle(STOP_PROTOCOL, (stream) => acceptAndEcho(stream, signal), { force: true });
  const connection = await target.dial(relay, { signal });
  const { reply, stream } = await request(connection, { type: 'RESERVE' }, signal);
  stream.abort(new Error('done'));
  expectOk('RESERVE', reply);
}

async function acceptAndEcho(stream: Stream, signal: AbortSignal): Promise<void> {
  decodeStop(await readFrame(stream, { signal }));
  writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.OK }));
  writeFrame(stream, await readFrame(stream, { signal }));
}

async function connectAndCompare(source: Libp2p, target: Libp2p, relay: Multiaddr, signal: AbortSignal): Promise<void> {
  const connection = await source.dial(relay, { signal });
  const { reply, stream } = await request(connection, { type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] } }, signal);
  expectOk('CONNECT', reply);
  const sent = randomBytes(ECHO_BYTES);
  writeFrame(stream, sent);
  const back = await readFrame(stream, { signal });
  stream.abort(new Error('done'));
  if (!sent.equals(back)) {
    throw new Error('what came back through the relay is not what was sent');
  }
}

async function request(connection: Connection, message: HopMessage, signal: AbortSignal): Promise<{ reply: HopMessage; stream: Stream }> {
  const stream = await connection.newStream([HOP_PROTOCOL], { signal });
  writeFrame(stream, encodeHop(message));
  return { reply: decodeHop(await readFrame(stream, { signal })), stream };
}

function expectOk(what: string, reply: HopMessage): void {
  if (reply.status !== Status.OK) {
    const why = reply.refusal === undefined ? '' : ` (${reply.refusal.limit})`;
    throw new Error(`${what} was answered ${statusName(reply.status)}${why}`);
  }
}
