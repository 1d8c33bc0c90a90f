import { randomBytes } from 'node:crypto';
import type { Connection } from '@libp2p/interface';
import type { Clock } from './clock.ts';
import { RelaydError, toError } from './errors.ts';
import { readExactly } from './read-stream.ts';
import { abortable } from './deadline.ts';
import { closeStream } from './close-stream.ts';

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
    return await abortable(inTurn(connection, () => pingStream(connection, clock, signal)), signal);
  } catch (error) {
    if (connection.status === 'open' && isAnswer(error)) {
      return clock.now() - start;
    }
    throw error;
  }
}

interface Echo {
  rttMs: number;
  /** Settles when the stream is gone on both sides. */
  closed: Promise<void>;
}

async function pingStream(connection: Connection, clock: Clock, signal: AbortSignal): Promise<Echo> {
  const stream = await connection.newStream(PING_PROTOCOL, { signal, runOnLimitedConnection: true });
  try {
    const start = clock.now();
    const data = randomBytes(PING_BYTES);
    const echoed = readExactly(stream, PING_BYTES, signal);
    echoed.catch(() => {});
    stream.send(data);
    if (!data.equals(await echoed)) {
      throw new RelaydError('MALFORMED_MESSAGE', 'a ping came back changed');
    }
    const rttMs = clock.now() - start;
    const closed = new Promise<void>((resolve) => stream.addEventListener('close', () => resolve(), { once: true }));
    closeStream(stream, clock);
    return { rttMs, closed: stream.status === 'open' ? closed : Promise.resolve() };
  } catch (error) {
    stream.abort(toError(error));
    throw error;
  }
}

/**
 * Who pings over a connection next: libp2p opens one ping stream of a connection at a time, and other implementations take one
 * or two. A turn is one echo, so that a probe never waits behind a person's whole series.
 */
const turns = new WeakMap<Connection, Promise<void>>();

async function inTurn(connection: Connection, work: () => Promise<Echo>): Promise<number> {
  const before = turns.get(connection) ?? Promise.resolve();
  const echo = before.then(work);
  turns.set(connection, echo.then(({ closed }) => closed, () => {}));
  return (await echo).rttMs;
}

/** Errors that only a peer which reads and writes can cause. */
function isAnswer(error: unknown): boolean {
  if (!(error instanceof Error)) {
    return false;
  }
  const limit = error.name === 'TooManyOutboundProtocolStreamsError' && error.message.startsWith('Too many outbound protocol streams');
  return limit || error.name === 'UnsupportedProtocolError' || error.name === 'StreamResetError';
}
