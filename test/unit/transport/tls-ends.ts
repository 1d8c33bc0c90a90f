import { generateKeyPair } from '@libp2p/crypto/keys';
import type { ComponentLogger, ConnectionEncrypter, Logger, MessageStream, PeerId, PrivateKey, SecuredConnection, StreamMuxerFactory } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { tls } from '@libp2p/tls';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { TcpConnection } from '../../../src/transport/native/tcp-connection.ts';
import type { GroundKind } from '../../../src/transport/native/tls-ground.ts';
import { nativeTls } from '../../../src/transport/native/tls.ts';
import { within } from '../../support/waiting.ts';

/** An identity with an encrypter: ours on either ground, or the library's. */
export interface Peer {
  peerId: PeerId;
  privateKey: PrivateKey;
  encrypter: ConnectionEncrypter;
  /** What was logged as an error. */
  lines: string[];
}

export type Kind = GroundKind | 'stock' | 'chosen';

export const YAMUX = '/yamux/1.0.0';

export async function makePeer(kind: Kind, muxers: readonly string[] = [YAMUX]): Promise<Peer> {
  const privateKey = await generateKeyPair('Ed25519');
  const lines: string[] = [];
  const factories = new Map(muxers.map((protocol) => [protocol, { protocol } as unknown as StreamMuxerFactory]));
  const components = { privateKey, logger: recorder(lines), upgrader: { getStreamMuxers: () => factories } as never };
  const encrypter = kind === 'stock' ? tls()(components) : nativeTls(kind === 'chosen' ? {} : { ground: kind })(components);
  return { peerId: peerIdFromPrivateKey(privateKey), privateKey, encrypter, lines };
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

export function asConnection(socket: Socket, direction: 'inbound' | 'outbound'): TcpConnection {
  return new TcpConnection({ socket, direction, logger: recorder([]) });
}

/** Both ends encrypted. @throws what either end throws */
export async function secureBoth(client: Peer, server: Peer, [near, far]: readonly [Socket, Socket]): Promise<[SecuredConnection, SecuredConnection]> {
  const outbound = client.encrypter.secureOutbound(asConnection(near, 'outbound'), { remotePeer: server.peerId });
  const inbound = server.encrypter.secureInbound(asConnection(far, 'inbound'));
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
