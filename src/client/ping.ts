import { randomBytes } from 'node:crypto';
import type { Connection, Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { RelaydError, toError } from '../lib/errors.ts';
import { concat } from '../lib/protobuf.ts';
import { abortable } from './deadline.ts';
import { closeStream } from './streams.ts';

/** Specification: libp2p "ping": 32 random bytes that come back. */
const PING_PROTOCOL = '/ipfs/ping/1.0.0';
const PING_BYTES = 32;

/**
 * One ping over `connection`, on a stream of its own.
 *
 * A peer that answers anything at all is alive: one that does not offer ping, or whose limit of ping streams another
 * ping of this node has used up, counts as answered, with the time that its answer took.
 *
 * @returns the round-trip time in milliseconds
 * @throws the signal's reason; libp2p's error when the connection closed, RelaydError MALFORMED_MESSAGE for a wrong echo
 */
export async function ping(connection: Connection, clock: Clock, signal: AbortSignal): Promise<number> {
  const start = clock.now();
  try {
    return await abortable(pingStream(connection, clock, signal), signal);
  } catch (error) {
    if (connection.status === 'open' && isAnswer(error)) {
      return clock.now() - start;
    }
    throw error;
  }
}

async function pingStream(connection: Connection, clock: Clock, signal: AbortSignal): Promise<number> {
  const stream = await connection.newStream(PING_PROTOCOL, { signal, runOnLimitedConnection: true });
  try {
    const start = clock.now();
    const data = randomBytes(PING_BYTES);
    const echoed = readBytes(stream, PING_BYTES, signal);
    echoed.catch(() => {});
    stream.send(data);
    if (!data.equals(await echoed)) {
      throw new RelaydError('MALFORMED_MESSAGE', 'a ping came back changed');
    }
    closeStream(stream, clock);
    return clock.now() - start;
  } catch (error) {
    stream.abort(toError(error));
    throw error;
  }
}

/** Errors that only a peer which reads and writes can cause. */
function isAnswer(error: unknown): boolean {
  if (!(error instanceof Error)) {
    return false;
  }
  const limit = error.name === 'TooManyOutboundProtocolStreamsError' && error.message.startsWith('Too many outbound protocol streams');
  return limit || error.name === 'UnsupportedProtocolError' || error.name === 'StreamResetError';
}

function readBytes(stream: Stream, count: number, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let held: Uint8Array = new Uint8Array();
    const finish = (outcome: () => void): void => {
      stream.removeEventListener('message', onMessage);
      stream.removeEventListener('close', onClose);
      signal.removeEventListener('abort', onAbort);
      outcome();
    };
    const onMessage = (event: StreamMessageEvent): void => {
      held = concat([held, event.data.subarray()]);
      if (held.byteLength >= count) finish(() => resolve(held));
    };
    const onClose = (event: StreamCloseEvent): void => finish(() => reject(event.error ?? new RelaydError('UNEXPECTED_END', 'the ping stream ended')));
    const onAbort = (): void => finish(() => reject(toError(signal.reason)));
    stream.addEventListener('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    stream.addEventListener('message', onMessage);
  });
}
