import type { Connection, Stream, StreamHandler, StreamHandlerOptions } from '@libp2p/interface';
import { readFrame, writeFrame } from '../lib/circuit/frames.ts';
import type { Clock } from '../lib/clock.ts';
import { closeStream } from '../lib/close-stream.ts';
import { withDeadline } from '../lib/deadline.ts';
import { assertDirect, withDirectStream } from '../lib/direct-stream.ts';
import { RelaydError, errorMessage, toError } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import { MAX_REVOCATION_LIST_BYTES } from './revocation-list.ts';
import { MAX_ANSWER_BYTES, MAX_NEWS_BYTES, REVOCATIONS_PROTOCOL, decodeMessage, encodeMessage } from './sharing-protocol.ts';
import type { SharingMessage } from './sharing-protocol.ts';

/** What sharing needs of the libp2p node to speak. */
export interface StreamHost {
  handle(protocol: string, handler: StreamHandler, options: StreamHandlerOptions): Promise<void>;
  unhandle(protocol: string): Promise<void>;
}

export interface SharingStreamsOptions {
  host: StreamHost;
  clock: Clock;
  log: Logger;
  /** What a peer says on a stream that it opened; the result, if any, is the answer. */
  onMessage: (connection: Connection, message: SharingMessage) => SharingMessage | undefined;
}

/** A stream must say what it is for within this time. */
const FIRST_FRAME_DEADLINE_MS = 5_000;

/** Opening a stream, a message, and a list of the longest kind over a slow line. */
const EXCHANGE_DEADLINE_MS = 15_000;

/** News and a question each way, and what crosses them. */
const MAX_STREAMS_PER_CONNECTION = 8;

/** Lists on their way, all peers together: more than a thousand of usual ones, 64 of the longest. */
const MAX_GIVEN_BYTES = 64 * MAX_REVOCATION_LIST_BYTES;

/** The streams of the revocation protocol, on direct connections only. */
export class SharingStreams {
  readonly #o: SharingStreamsOptions;
  /** Those to whom a list is on its way, and all that is. */
  readonly #takers = new Set<Connection>();
  #givenBytes = 0;
  #stopped = new AbortController();

  constructor(options: SharingStreamsOptions) {
    this.#o = options;
  }

  async start(): Promise<void> {
    this.#stopped = new AbortController();
    await this.#o.host.handle(REVOCATIONS_PROTOCOL, this.#handle, { maxInboundStreams: MAX_STREAMS_PER_CONNECTION, maxOutboundStreams: MAX_STREAMS_PER_CONNECTION });
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new RelaydError('CLOSED', 'revocations are shared no more'));
    await this.#o.host.unhandle(REVOCATIONS_PROTOCOL);
  }

  /** @throws RelaydError TIMEOUT, CLOSED; libp2p's errors when no stream can be opened */
  tell(connection: Connection, news: SharingMessage): Promise<void> {
    return this.#exchange(connection, news, async (stream) => closeStream(stream, this.#o.clock, { discard: true }));
  }

  /** @throws RelaydError MALFORMED_MESSAGE, UNEXPECTED_END, TIMEOUT, CLOSED; libp2p's errors when no stream can be opened */
  ask(connection: Connection, question: SharingMessage): Promise<SharingMessage> {
    return this.#exchange(connection, question, async (stream, signal) => {
      const answer = decodeMessage(await readFrame(stream, { signal, maxBytes: MAX_ANSWER_BYTES }));
      closeStream(stream, this.#o.clock, { discard: true });
      return answer;
    });
  }

  /** Whether a list of so many bytes may be given now: whoever asks again and again and does not read must not cost memory. */
  mayGive(connection: Connection, bytes: number): boolean {
    return !this.#takers.has(connection) && this.#givenBytes + bytes <= MAX_GIVEN_BYTES;
  }

  #exchange<T>(connection: Connection, message: SharingMessage, rest: (stream: Stream, signal: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(EXCHANGE_DEADLINE_MS, this.#o.clock, [this.#stopped.signal], (signal) =>
      withDirectStream(connection, { protocol: REVOCATIONS_PROTOCOL, maxStreams: MAX_STREAMS_PER_CONNECTION, signal }, (stream) => {
        writeFrame(stream, encodeMessage(message));
        return rest(stream, signal);
      }),
    );
  }

  readonly #handle = async (stream: Stream, connection: Connection): Promise<void> => {
    try {
      assertDirect(connection);
      const frame = await withDeadline(FIRST_FRAME_DEADLINE_MS, this.#o.clock, [this.#stopped.signal], (signal) => readFrame(stream, { signal, maxBytes: MAX_NEWS_BYTES }));
      const answer = this.#o.onMessage(connection, decodeMessage(frame));
      if (answer !== undefined) this.#give(stream, connection, answer);
      closeStream(stream, this.#o.clock, { discard: true, ...(answer?.list === undefined ? {} : { lingerMs: EXCHANGE_DEADLINE_MS }) });
    } catch (error) {
      this.#o.log.debug({ peer: connection.remotePeer.toString(), error: peerText(errorMessage(error)) }, 'a stream about revocations failed');
      stream.abort(toError(error));
    }
  };

  #give(stream: Stream, connection: Connection, answer: SharingMessage): void {
    writeFrame(stream, encodeMessage(answer));
    const bytes = answer.list?.byteLength ?? 0;
    if (bytes === 0) return;
    this.#takers.add(connection);
    this.#givenBytes += bytes;
    stream.addEventListener('close', () => this.#given(connection, bytes), { once: true });
  }

  #given(connection: Connection, bytes: number): void {
    this.#takers.delete(connection);
    this.#givenBytes -= bytes;
  }
}
