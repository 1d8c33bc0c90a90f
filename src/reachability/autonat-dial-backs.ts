import type { Connection, Stream } from '@libp2p/interface';
import { isRelayed } from '../lib/addresses.ts';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import type { Clock } from '../lib/clock.ts';
import { closeStream } from '../lib/close-stream.ts';
import { withDeadline } from '../lib/deadline.ts';
import { toError } from '../lib/errors.ts';
import { malformed } from '../lib/protobuf.ts';
import { DIAL_BACK_RESPONSE, MAX_DIAL_BACK_BYTES, decodeDialBack } from './autonat-protocol.ts';

/** The nonce is sent with the stream's opening. */
const READ_MS = 5_000;

/** One node's dial-backs and dial-requests: each request is a stream of its own. */
const MAX_STREAMS = 16;

export const DIAL_BACK_STREAMS = { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS };

export interface Expected {
  /** The nonce has come back. Never rejects. */
  readonly arrived: Promise<void>;
  /** To be called whatever the outcome. */
  forget(): void;
}

interface Waiting {
  readonly sinceWall: number;
  readonly done: () => void;
}

/** The nonces that were sent out, and the dial-backs that bring them home. As many as there are requests under way. */
export class DialBacks {
  readonly #clock: Clock;
  readonly #waiting = new Map<bigint, Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  expect(nonce: bigint): Expected {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(nonce, { sinceWall: this.#clock.wall(), done: resolve });
    return { arrived: promise, forget: () => void this.#waiting.delete(nonce) };
  }

  readonly handle = async (stream: Stream, connection: Connection): Promise<void> => {
    try {
      const frame = await withDeadline(READ_MS, this.#clock, [], (signal) => readFrame(stream, { signal, maxBytes: MAX_DIAL_BACK_BYTES }));
      const waiting = this.#waiting.get(decodeDialBack(frame));
      if (waiting === undefined || !isNewWayIn(connection, waiting.sinceWall)) {
        throw malformed('a dial-back that nobody waits for');
      }
      waiting.done();
      writeFrame(stream, DIAL_BACK_RESPONSE);
      closeStream(stream, this.#clock, { discard: true });
    } catch (error) {
      stream.abort(toError(error));
    }
  };
}

/** One that was there before proves nothing: this node may have opened it, or a hole punch. */
function isNewWayIn(connection: Connection, sinceWall: number): boolean {
  return connection.direction === 'inbound' && !isRelayed(connection) && connection.timeline.open >= sinceWall;
}
