import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface';
import { concat } from '../../src/lib/protobuf.ts';
import { within } from './waiting.ts';

/** How a stream ended for its reader: the other side's end (FIN), a reset, or the loss of the connection. */
export type StreamEnd = 'end' | 'reset' | 'lost';

/** Reads all that comes on a stream, and remembers how it ended and in which order that was told. */
export class ByteReader {
  readonly stream: Stream;
  /** Every end that was seen, in order: a reset that follows an `end` shows here. */
  readonly ends: StreamEnd[] = [];
  #chunks: Uint8Array[] = [];
  #length = 0;
  readonly #waiting = new Set<() => void>();

  constructor(stream: Stream) {
    this.stream = stream;
    stream.addEventListener('message', (event: StreamMessageEvent) => {
      this.#chunks.push(event.data.slice());
      this.#length += event.data.byteLength;
      this.#wake();
    });
    stream.addEventListener('remoteCloseWrite', () => this.#ended('end'));
    stream.addEventListener('close', (event: StreamCloseEvent) => this.#onClose(event));
    if (stream.status === 'reset') this.#ended('reset');
    else if (stream.remoteWriteStatus === 'closed') this.#ended('end');
  }

  get length(): number {
    return this.#length;
  }

  /** All bytes so far. */
  get bytes(): Uint8Array {
    this.#chunks = [concat(this.#chunks)];
    return this.#chunks[0] ?? new Uint8Array();
  }

  /** Resolves when `count` bytes have come. @throws Error when the stream ends first */
  async has(count: number, timeoutMs?: number): Promise<Uint8Array> {
    await this.#when(() => this.#length >= count || this.ends.length > 0, `${count} bytes (${this.#length} are there)`, timeoutMs);
    if (this.#length < count) throw new Error(`the stream ended (${this.ends.join(', ')}) after ${this.#length} of ${count} bytes`);
    return this.bytes;
  }

  /** The first end of the stream. */
  async end(timeoutMs?: number): Promise<StreamEnd> {
    await this.#when(() => this.ends.length > 0 && this.stream.readBufferLength === 0, `the end of a stream (${this.#length} bytes came)`, timeoutMs);
    return this.ends[0] ?? 'lost';
  }

  /** The last word about the stream: closed in both directions and read to its end, reset, or lost. */
  async closed(timeoutMs?: number): Promise<StreamEnd> {
    await this.#when(() => this.stream.status !== 'open' && (this.ends.at(-1) !== 'end' || this.stream.readBufferLength === 0), `a stream to close (it is ${this.stream.status})`, timeoutMs);
    return this.ends.at(-1) ?? 'lost';
  }

  #onClose(event: StreamCloseEvent): void {
    if (this.stream.status === 'reset' || event.error?.name === 'StreamResetError') this.#ended('reset');
    else if (this.ends.length === 0) this.#ended('lost');
    this.#wake();
  }

  #ended(end: StreamEnd): void {
    this.ends.push(end);
    this.#wake();
  }

  async #when(holds: () => boolean, what: string, timeoutMs?: number): Promise<void> {
    const waiting = async (): Promise<void> => {
      while (!holds()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    };
    await within(waiting(), what, timeoutMs);
  }

  #wake(): void {
    this.#waiting.forEach((resolve) => resolve());
    this.#waiting.clear();
  }
}
