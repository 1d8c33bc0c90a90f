import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { abortable } from '../../lib/deadline.ts';
import { toError } from '../../lib/errors.ts';
import { SocketGround } from './ground.ts';
import { startCarriedTls } from './tls-carried.ts';
import type { CarriedOptions } from './tls-carried.ts';
import { hasInternals } from './tls-fast-socket.ts';
import { startTls } from './tls-ground.ts';
import type { TlsGround } from './tls-ground.ts';
import { handshake } from './tls-handshake.ts';

/** A hundred times what it takes; the first connections wait for it. */
const TIMEOUT_MS = 5000;

/** Many records, which the reads of the kernel cut anywhere. */
const PATTERN = Buffer.alloc(300_000, Buffer.from(Uint8Array.from({ length: 251 }, (_, i) => i)));

const FLOOD_BYTES = 1024 * 1024;

/**
 * Tries the fast ground on three real connections: early bytes, data both ways, a pause, an end, a reset under a write.
 * @throws Error saying what was not as it has to be
 */
export async function selfTest(context: SecureContext): Promise<void> {
  if (!hasInternals()) {
    throw new Error('this version of Node has other internals');
  }
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  await onPair(context, signal, onSocket, talkAndEnd);
  await onPair(context, signal, onSocket, resetUnderWrite);
  await onPair(context, signal, carried, talkAndEnd);
}

type Start = (raw: Socket, early: Uint8Array, options: CarriedOptions) => TlsGround;

const onSocket: Start = (raw, early, options) => startTls('fast', raw, early, options);
const carried: Start = (raw, early, options) => startCarriedTls('fast', new SocketGround(raw), early, options);

type Run = (client: TlsGround, server: TlsGround, signal: AbortSignal) => Promise<void>;

async function onPair(context: SecureContext, signal: AbortSignal, start: Start, run: Run): Promise<void> {
  const sockets = await connectedPair(signal);
  const gone = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve))));
  try {
    const [client, server] = await securePair(sockets, context, signal, start);
    [client, server].forEach(({ socket }) => socket.on('error', () => undefined));
    await run(client, server, signal);
  } finally {
    sockets.forEach((socket) => socket.destroy());
    await gone;
  }
}

async function talkAndEnd(client: TlsGround, server: TlsGround, signal: AbortSignal): Promise<void> {
  const got = [collect(client, signal), collect(server, signal)];
  const all = Promise.all([...got, write(client, PATTERN), write(server, PATTERN)]);
  all.catch(() => undefined);
  server.ground.pause();
  await got[0];
  server.ground.resume();
  await all;
  const closed = Promise.all([close(client, signal), close(server, signal)]);
  client.socket.destroySoon();
  if ((await closed).includes(true)) {
    throw new Error('an end came as an error');
  }
}

async function resetUnderWrite(client: TlsGround, server: TlsGround, signal: AbortSignal): Promise<void> {
  server.ground.pause();
  server.ground.open(() => undefined);
  const closed = Promise.all([close(client, signal), close(server, signal)]);
  // Whether the kernel has taken it all already is its affair; somebody waits for the answer.
  const settled = Promise.allSettled([write(client, Buffer.alloc(FLOOD_BYTES))]);
  server.socket.resetAndDestroy();
  await closed;
  await abortable(settled, signal);
}

/** Resolves when the whole pattern has come, and nothing else. */
function collect({ ground, socket }: TlsGround, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let at = 0;
    ground.open((chunk, start, end) => {
      const bytes = end - start;
      const same = chunk.subarray(start, end).equals(PATTERN.subarray(at, at + bytes));
      at += bytes;
      if (!same) reject(new Error('other bytes came than were sent'));
      else if (at === PATTERN.length) resolve();
    });
    socket.once('close', () => reject(new Error('the connection closed before all had come')));
    signal.addEventListener('abort', () => reject(toError(signal.reason)), { once: true });
  });
}

/** Whether the connection closed with an error. Not by `once`, for which an error is an end as well. */
function close({ socket }: TlsGround, signal: AbortSignal): Promise<boolean> {
  return abortable(new Promise((resolve) => socket.once('close', resolve)), signal);
}

function write({ ground }: TlsGround, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    ground.write(bytes, (error) => (error instanceof Error ? reject(error) : resolve()));
  });
}

/** The client's first packet reaches the server as early bytes. */
async function securePair([client, server]: readonly [Socket, Socket], context: SecureContext, signal: AbortSignal, start: Start): Promise<[TlsGround, TlsGround]> {
  const common = { secureContext: context, requestCert: true };
  const first = once(server, 'data', { signal });
  first.catch(() => undefined);
  const outer = start(client, new Uint8Array(), { ...common, isServer: false, rejectUnauthorized: false });
  const clientDone = handshake(outer.socket, signal);
  clientDone.catch(() => undefined);
  const [early] = (await first) as [Buffer];
  const inner = start(server, early, { ...common, isServer: true, rejectUnauthorized: true });
  await Promise.all([clientDone, handshake(inner.socket, signal)]);
  return [outer, inner];
}

async function connectedPair(signal: AbortSignal): Promise<readonly [Socket, Socket]> {
  const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  try {
    await once(listener, 'listening', { signal });
    const client = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
    const [[server]] = (await Promise.all([once(listener, 'connection', { signal }), once(client, 'connect', { signal })])) as [[Socket], unknown];
    const pair = [client, server] as const;
    pair.forEach((socket) => socket.on('error', () => undefined));
    if (server.remotePort !== client.localPort) {
      pair.forEach((socket) => socket.destroy());
      throw new Error('somebody else connected to the self-test');
    }
    return pair;
  } finally {
    listener.close();
  }
}
