import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import { join } from './protobuf.ts';
import { within } from './waiting.ts';
import { decodeHop, decodeStop, takeFrame } from './wire.ts';
import type { HopMessage, StopMessage } from './wire.ts';

/** How a stream ended for this side: the other's FIN, its RST, or the connection's end without either. */
export type End = 'eof' | 'reset' | 'lost';

/** How long an answer may take that is not itself a deadline under test, on a busy machine. */
export const ANSWER_MS = 10_000;

/** How long a sender must stand still to count as stopped. */
const STALL_MS = 1_500;
/** Between two looks at it. When more passes, this process stood still itself, and with it whoever could have read. */
const LOOK_MS = 2;
const MOST_A_LOOK_MS = 10 * LOOK_MS;

const PUMP_CHUNK = 16_384;

/** How far a pump came. */
export interface Pumped {
  /** Bytes given to the stream; those that were not taken go when there is window again. */
  given: number;
  /** Bytes that left for the other side. */
  taken: number;
}

/** A stream below any protocol: bytes out, bytes in, and how it ended. */
export class RawStream {
  readonly stream: Stream;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #finished = false;
  #closed: End | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(stream: Stream) {
    this.stream = stream;
    stream.addEventListener('message', (event: StreamMessageEvent) => this.#onData(Uint8Array.from(event.data.subarray())));
    stream.addEventListener('remoteCloseWrite', () => {
      this.#finished = true;
      this.#wake();
    });
    stream.addEventListener('close', (event: StreamCloseEvent) => this.#onClose(event));
    this.#finished = stream.remoteWriteStatus === 'closed' && stream.status !== 'reset';
    if (stream.status === 'reset') this.#closed = 'reset';
  }

  /** How the stream ended; `undefined` while it has not, or while data is still to be read. */
  get end(): End | undefined {
    if (this.#closed === 'reset') return 'reset';
    if (this.stream.readBufferLength > 0) return undefined;
    return this.#finished ? 'eof' : this.#closed;
  }

  send(bytes: Uint8Array): void {
    this.stream.send(bytes);
  }

  async closeWrite(): Promise<void> {
    await within(this.stream.close(), ANSWER_MS, 'closing a stream for writing');
  }

  reset(): void {
    this.stream.abort(new Error('reset by the test'));
  }

  /** Stops reading: the sender gets no more window once what it has is used up. */
  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    if (this.stream.readStatus === 'paused') this.stream.resume();
  }

  /** A whole frame's body. @throws Error when the stream ends first or the deadline passes */
  async readFrame(ms = ANSWER_MS): Promise<Uint8Array> {
    return within(this.#readFrame(), ms, 'waiting for a message');
  }

  async readHop(ms?: number): Promise<HopMessage> {
    return decodeHop(await this.readFrame(ms));
  }

  async readStop(ms?: number): Promise<StopMessage> {
    return decodeStop(await this.readFrame(ms));
  }

  /** Exactly `count` bytes. @throws Error when the stream ends first or the deadline passes */
  async read(count: number, ms = ANSWER_MS): Promise<Uint8Array> {
    const enough = (): boolean => this.#heldBytes >= count || this.end !== undefined;
    await this.#until(enough, ms, `waiting for ${count} bytes (${this.#heldBytes} are there)`);
    if (this.#heldBytes < count) {
      throw new Error(`the stream ended (${this.end}) after ${this.#heldBytes} of ${count} bytes`);
    }
    return this.#take(count);
  }

  /** Everything to the end of the stream, and which end that was. */
  async readToEnd(ms = ANSWER_MS): Promise<{ bytes: Uint8Array; end: End }> {
    await this.#until(() => this.end !== undefined, ms, `waiting for the end of a stream (${this.#heldBytes} bytes came)`);
    return { bytes: this.#take(this.#heldBytes), end: this.end ?? 'lost' };
  }

  /** How the stream ends within `ms`; `timeout` when it does not. What still comes is left to be read. */
  async ended(ms = ANSWER_MS): Promise<End | 'timeout'> {
    try {
      await this.#until(() => this.end !== undefined, ms, 'the end of a stream');
    } catch {
      return 'timeout';
    }
    return this.end ?? 'timeout';
  }

  /** Bytes that came and were not read yet. */
  get unread(): number {
    return this.#heldBytes + this.stream.readBufferLength;
  }

  /** Sends `bytes` as fast as the other side takes them, and gives up for now when it takes none for 1.5 s. */
  async pump(bytes: Uint8Array): Promise<Pumped> {
    let given = 0;
    while (given < bytes.length) {
      this.stream.send(bytes.subarray(given, given + PUMP_CHUNK));
      given = Math.min(given + PUMP_CHUNK, bytes.length);
      if (this.stream.writeBufferLength > 0 && !(await this.#sent())) break;
    }
    return { given, taken: given - this.stream.writeBufferLength };
  }

  #onData(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    this.#wake();
  }

  #onClose(event: StreamCloseEvent): void {
    const reset = this.stream.status === 'reset' || event.error?.name === 'StreamResetError';
    this.#closed = reset ? 'reset' : 'lost';
    this.#wake();
  }

  async #readFrame(): Promise<Uint8Array> {
    for (;;) {
      const all = this.#peek();
      const found = takeFrame(all);
      if (found !== undefined) {
        this.#take(found.end);
        return found.body;
      }
      if (this.end !== undefined) throw new Error(`the stream ended (${this.end}) before a whole message`);
      await this.#change();
    }
  }

  #peek(): Uint8Array {
    if (this.#held.length > 1) this.#held = [join(...this.#held)];
    return this.#held[0] ?? new Uint8Array();
  }

  #take(count: number): Uint8Array {
    const all = this.#peek();
    this.#held = count < all.length ? [all.subarray(count)] : [];
    this.#heldBytes -= count;
    return all.subarray(0, count);
  }

  /** Whether the write queue became empty before the sender stood still for 1.5 s. */
  async #sent(): Promise<boolean> {
    for (let left = this.stream.writeBufferLength, stoodMs = 0, lookedAt = performance.now(); left > 0; ) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const now = performance.now();
      stoodMs = this.stream.writeBufferLength < left ? 0 : stoodMs + Math.min(now - lookedAt, MOST_A_LOOK_MS);
      lookedAt = now;
      left = this.stream.writeBufferLength;
      if (this.stream.status !== 'open') throw new Error(`the stream ended (${this.stream.status}) while it was written to`);
      if (stoodMs > STALL_MS) return false;
    }
    return true;
  }

  async #until(done: () => boolean, ms: number, what: string): Promise<void> {
    const waiting = async (): Promise<void> => {
      while (!done()) await this.#change();
    };
    await within(waiting(), ms, what);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
