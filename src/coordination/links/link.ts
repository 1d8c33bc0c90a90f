import type { Connection, Stream, StreamMessageEvent } from '@libp2p/interface';
import { writeFrame } from '../../lib/circuit/frames.ts';
import type { Clock } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { RelaydError, errorMessage, toError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { MAX_LINK_FRAME_BYTES } from '../links.ts';
import type { ClockSkew, LinkHandler, LinkKind } from '../links.ts';
import { Asks, MAX_ASKS } from './asks.ts';
import { FrameReader } from './frame-reader.ts';
import { FRAME_OVERHEAD_BYTES, decodeFrame, encodeFrame } from './messages.ts';
import type { LinkFrame } from './messages.ts';
import type { LinkMetrics } from './metrics.ts';
import { Pulse } from './pulse.ts';

/** Bytes that wait for a relay that reads slowly: more than a few of the longest answers, and no more questions are asked until they are gone. */
const MAX_WAITING_BYTES = 4 * MAX_LINK_FRAME_BYTES;

/** Answers cannot be held back as questions can: with so much of them unread, the link is of no use. */
const MAX_UNREAD_BYTES = 16 * MAX_LINK_FRAME_BYTES;

/** Longer than anybody waits for an answer. */
const ANSWER_DEADLINE_MS = 10_000;

export interface LinkOptions {
  readonly peer: string;
  readonly connection: Connection;
  /** The handshake is over. */
  readonly stream: Stream;
  readonly openedByUs: boolean;
  readonly provedWith: string;
  readonly handlerOf: (kind: LinkKind) => LinkHandler | undefined;
  readonly onClosed: (link: Link, why: RelaydError) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: LinkMetrics;
}

/** The stream of two relays that know each other: questions and answers both ways, until one of them is silent or gone. */
export class Link {
  readonly openedAt: number;
  readonly #o: LinkOptions;
  readonly #asks = new Asks();
  readonly #reader = new FrameReader(MAX_LINK_FRAME_BYTES + FRAME_OVERHEAD_BYTES);
  readonly #pulse: Pulse;
  readonly #closed = new AbortController();
  /** Questions of the other side's that are being answered. */
  #answering = 0;

  constructor(options: LinkOptions) {
    this.#o = options;
    this.openedAt = options.clock.now();
    this.#pulse = new Pulse({ clock: options.clock, sendPing: (id) => this.#sendOrClose({ type: 'ping', id }), onSilent: () => this.close(new RelaydError('TIMEOUT', 'the other relay is silent')) });
  }

  get peer(): string {
    return this.#o.peer;
  }

  get connection(): Connection {
    return this.#o.connection;
  }

  get openedByUs(): boolean {
    return this.#o.openedByUs;
  }

  /** The id of the secret that the other relay has proved with. */
  get provedWith(): string {
    return this.#o.provedWith;
  }

  get isOpen(): boolean {
    return !this.#closed.signal.aborted && this.#o.stream.status === 'open';
  }

  get rttMs(): number | undefined {
    return this.#pulse.rttMs;
  }

  get skew(): ClockSkew | undefined {
    return this.#pulse.skew;
  }

  /** To be called once, right after the handshake. */
  start(): void {
    const { stream } = this.#o;
    stream.addEventListener('message', this.#onMessage);
    stream.addEventListener('close', this.#onEnd);
    stream.addEventListener('remoteCloseWrite', this.#onEnd);
    if (stream.status === 'open') this.#pulse.start();
    else this.#onEnd();
  }

  /** @throws RelaydError CLOSED, BUSY, BAD_REQUEST */
  ask(kind: LinkKind, question: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return this.#asks.wait(signal, (id) => {
      if (question.byteLength > MAX_LINK_FRAME_BYTES) {
        throw new RelaydError('BAD_REQUEST', `a question of ${question.byteLength} bytes; at most ${MAX_LINK_FRAME_BYTES} may be asked`);
      }
      if (this.#o.stream.writeBufferLength > MAX_WAITING_BYTES) {
        throw new RelaydError('BUSY', 'the other relay has not read what was sent before');
      }
      this.#send({ type: 'question', id, kind, body: question });
    });
  }

  /** May be repeated. */
  close(why: RelaydError): void {
    if (this.#closed.signal.aborted) {
      return;
    }
    const { stream } = this.#o;
    this.#closed.abort(why);
    this.#pulse.stop();
    stream.removeEventListener('message', this.#onMessage);
    stream.removeEventListener('close', this.#onEnd);
    stream.removeEventListener('remoteCloseWrite', this.#onEnd);
    stream.abort(why);
    this.#asks.endAll(new RelaydError('CLOSED', 'the link to the other relay was lost', { cause: why }));
    this.#o.onClosed(this, why);
  }

  readonly #onEnd = (): void => this.close(new RelaydError('CLOSED', 'the other relay ended the link'));

  readonly #onMessage = (event: StreamMessageEvent): void => {
    this.#pulse.heard();
    try {
      this.#reader.push(event.data.subarray()).forEach((bytes) => this.#take(bytes));
    } catch (cause) {
      this.close(new RelaydError('MALFORMED_MESSAGE', errorMessage(cause), { cause }));
    }
  };

  #take(bytes: Uint8Array): void {
    this.#o.metrics.message('in', bytes.byteLength);
    const frame = decodeFrame(bytes);
    switch (frame?.type) {
      case 'question':
        void this.#answer(frame.id, frame.kind as LinkKind, frame.body);
        break;
      case 'answer':
        this.#asks.answered(frame.id, frame.body);
        break;
      case 'refusal':
        this.#asks.refused(frame.id, frame.busy);
        break;
      case 'ping':
        this.#sendOrClose({ type: 'pong', id: frame.id, wallMs: this.#o.clock.wall() });
        break;
      case 'pong':
        this.#pulse.ponged(frame.id, frame.wallMs);
        break;
      case undefined:
        break;
    }
  }

  async #answer(id: number, kind: LinkKind, question: Uint8Array): Promise<void> {
    if (this.#answering >= MAX_ASKS) {
      this.#sendOrClose({ type: 'refusal', id, busy: true });
      return;
    }
    this.#answering++;
    const answer = await this.#handle(kind, question);
    this.#answering--;
    this.#sendOrClose(answer === undefined ? { type: 'refusal', id, busy: false } : { type: 'answer', id, body: answer });
  }

  /** `undefined` when it is refused. Never throws. What is answered at once costs no timer. */
  async #handle(kind: LinkKind, question: Uint8Array): Promise<Uint8Array | undefined> {
    const { clock, log, peer } = this.#o;
    const { signal } = this.#closed;
    try {
      const found = this.#o.handlerOf(kind)?.(peer, question, signal);
      const answer = found instanceof Promise ? await withDeadline(ANSWER_DEADLINE_MS, clock, [signal], () => found) : found;
      return answer !== undefined && answer.byteLength > MAX_LINK_FRAME_BYTES ? undefined : answer;
    } catch (error) {
      log.debug({ relay: peer, kind, error: errorMessage(error) }, 'a question of another relay was refused');
      return undefined;
    }
  }

  #sendOrClose(frame: LinkFrame): void {
    if (this.#closed.signal.aborted) {
      return;
    }
    if (this.#o.stream.writeBufferLength > MAX_UNREAD_BYTES) {
      this.close(new RelaydError('BUSY', 'the other relay does not read'));
      return;
    }
    try {
      this.#send(frame);
    } catch (error) {
      this.close(new RelaydError('CLOSED', 'the link broke', { cause: toError(error) }));
    }
  }

  /** @throws RelaydError CLOSED */
  #send(frame: LinkFrame): void {
    const bytes = encodeFrame(frame);
    try {
      writeFrame(this.#o.stream, bytes);
    } catch (cause) {
      throw new RelaydError('CLOSED', 'the link to the other relay was lost', { cause });
    }
    this.#o.metrics.message('out', bytes.byteLength);
  }
}
