import { generateKeyPair } from '@libp2p/crypto/keys';
import type { AbortOptions, ComponentLogger, ConnectionEncrypter, Logger, MessageStream, MessageStreamDirection, PeerId, PrivateKey, SecuredConnection, StreamMuxerFactory } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { tls } from '@libp2p/tls';
import { AbstractMultiaddrConnection } from '@libp2p/utils';
import type { SendResult } from '@libp2p/utils';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Uint8ArrayList } from 'uint8arraylist';
import { TcpConnection } from '../../../src/transport/native/tcp-connection.ts';
import type { GroundKind } from '../../../src/transport/native/tls-ground.ts';
import { nativeTls } from '../../../src/transport/native/tls.ts';
import { patternBytes } from '../../support/bytes.ts';
import { within } from '../../support/waiting.ts';

/** An identity with an encrypter: ours on either ground, or the library's. */
export interface Peer {
  peerId: PeerId;
  privateKey: PrivateKey;
  encrypter: ConnectionEncrypter;
  /** What was logged as an error. */
  lines: string[];
  /** The connection that it makes of a socket. */
  over: (socket: Socket, direction: MessageStreamDirection) => MessageStream;
}

/** Ours on either ground, on the socket itself or on a stream that hides it. */
export type Ours = GroundKind | `${GroundKind} stream`;
export const OURS: readonly Ours[] = ['fast', 'public', 'fast stream', 'public stream'];

export type Kind = Ours | 'stock' | 'chosen';

export const YAMUX = '/yamux/1.0.0';

export async function makePeer(kind: Kind, muxers: readonly string[] = [YAMUX]): Promise<Peer> {
  const privateKey = await generateKeyPair('Ed25519');
  const lines: string[] = [];
  const factories = new Map(muxers.map((protocol) => [protocol, { protocol } as unknown as StreamMuxerFactory]));
  const components = { privateKey, logger: recorder(lines), upgrader: { getStreamMuxers: () => factories } as never };
  const encrypter = kind === 'stock' ? tls()(components) : nativeTls(kind === 'chosen' ? {} : { ground: groundOf(kind) })(components);
  return { peerId: peerIdFromPrivateKey(privateKey), privateKey, encrypter, lines, over: kind.endsWith('stream') ? asStream : asConnection };
}

function groundOf(kind: Ours): GroundKind {
  return kind.startsWith('fast') ? 'fast' : 'public';
}

/** The two ends of a TCP connection on loopback. They are destroyed when the test is over. */
export async function socketPair(context: TestContext): Promise<[client: Socket, server: Socket]> {
  const listener = await listen(context);
  const arrived = once(listener, 'connection') as Promise<[Socket]>;
  const client = await dial(context, listener);
  const [server] = await arrived;
  context.after(() => server.destroy());
  return [client, server];
}

async function listen(context: TestContext): Promise<Server> {
  const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  context.after(() => listener.close());
  return listener;
}

async function dial(context: TestContext, listener: Server): Promise<Socket> {
  const socket = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
  context.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function asConnection(socket: Socket, direction: MessageStreamDirection): TcpConnection {
  return new TcpConnection({ socket, direction, logger: recorder([]) });
}

/** As a circuit or a private network has it: whoever is given this sees no socket. */
function asStream(socket: Socket, direction: MessageStreamDirection): MessageStream {
  return new HidingStream(asConnection(socket, direction));
}

class HidingStream extends AbstractMultiaddrConnection {
  readonly #below: TcpConnection;

  constructor(below: TcpConnection) {
    super({ direction: below.direction, log: below.log, remoteAddr: below.remoteAddr });
    this.#below = below;
    below.addEventListener('message', ({ data }) => this.onData(data));
    below.addEventListener('drain', () => this.safeDispatchEvent('drain'));
    below.addEventListener('close', ({ error, local }) => {
      if (error === undefined) this.onTransportClosed();
      else if (local === true) this.abort(error);
      else this.onRemoteReset();
    });
  }

  sendData(data: Uint8ArrayList): SendResult {
    return { sentBytes: data.byteLength, canSendMore: this.#below.send(data) };
  }

  sendReset(error: Error): void {
    this.#below.abort(error);
  }

  async sendClose(options?: AbortOptions): Promise<void> {
    await this.#below.close(options);
  }

  sendPause(): void {
    this.#below.pause();
  }

  sendResume(): void {
    this.#below.resume();
  }
}

/** Both ends encrypted. @throws what either end throws */
export async function secureBoth(client: Peer, server: Peer, [near, far]: readonly [Socket, Socket]): Promise<[SecuredConnection, SecuredConnection]> {
  const outbound = client.encrypter.secureOutbound(client.over(near, 'outbound'), { remotePeer: server.peerId });
  const inbound = server.encrypter.secureInbound(server.over(far, 'inbound'));
  return await within(Promise.all([outbound, inbound]), 'a TLS handshake');
}

/** Everything that comes, until there are `bytes`. @throws Error when the stream closes before */
export async function receive(stream: MessageStream, bytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const all = new Promise<Buffer>((resolve, reject) => {
    stream.addEventListener('close', ({ error }) => reject(error ?? new Error('the stream closed')));
    stream.addEventListener('message', ({ data }) => {
      pieces.push(Uint8Array.from(data.subarray()));
      length += data.byteLength;
      if (length >= bytes) resolve(Buffer.concat(pieces));
    });
  });
  return await within(all, `${bytes} bytes`);
}

export async function send(stream: MessageStream, bytes: Uint8Array): Promise<void> {
  if (!stream.send(bytes)) await within(stream.onDrain(), 'room to send');
}

/** `length` bytes of a pattern each way. */
export async function exchange(outbound: SecuredConnection, inbound: SecuredConnection, length: number): Promise<void> {
  const [up, down] = [patternBytes(length, 1), patternBytes(length, 2)];
  const got = Promise.all([receive(inbound.connection, length), receive(outbound.connection, length)]);
  await Promise.all([send(outbound.connection, up), send(inbound.connection, down)]);
  const [atServer, atClient] = await got;
  assert.ok(atServer.equals(up) && atClient.equals(down));
}

/** Resolves when the stream has ended, with its error if there was one. */
export async function ended(stream: MessageStream): Promise<Error | undefined> {
  if (stream.status !== 'open') return undefined;
  const end = new Promise<Error | undefined>((resolve) => {
    stream.addEventListener('close', ({ error }) => resolve(error), { once: true });
  });
  return await within(end, 'the end of a stream');
}

function recorder(lines: string[]): ComponentLogger {
  const make = (): Logger => {
    const log = (() => undefined) as unknown as Logger;
    const error = (format: string, ...rest: unknown[]): void => void lines.push([format, ...rest.map(String)].join(' '));
    return Object.assign(log, { enabled: false, trace: () => undefined, error, newScope: make });
  };
  return { forComponent: make };
}
