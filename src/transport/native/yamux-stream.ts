import { StreamResetError, StreamStateError } from '@libp2p/interface';
import type { AbortOptions } from '@libp2p/interface';
import { AbstractStream } from '@libp2p/utils';
import type { AbstractStreamInit, SendResult } from '@libp2p/utils';
import type { Uint8ArrayList } from 'uint8arraylist';
import { abortable } from '../../lib/deadline.ts';
import type { RawSink, RawStream } from '../../lib/raw-stream.ts';
import { ByteQueue } from '../../lib/byte-queue.ts';
import type { Owner } from './outgoing.ts';
import { Flag, INITIAL_WINDOW_BYTES } from './yamux-frame.ts';

/** What a stream asks of its muxer. */
export interface StreamMuxing {
  /** Writes now what there is room for; `stream` waits for its turn otherwise. Returns how much was written. */
  write(stream: YamuxStream, chunk: Uint8Array, start: number, end: number, most: number): number;
  /** `stream` has bytes that its window allows. */
  wait(stream: YamuxStream): void;
  windowUpdate(stream: YamuxStream, flags: number, delta: number): void;
  /** The stream is over on both sides, or was reset. */
  forget(stream: YamuxStream): void;
}

export interface YamuxStreamInit extends AbstractStreamInit {
  muxing: StreamMuxing;
  streamId: number;
  /** Flags of the first frame that is sent: SYN or ACK. */
  openingFlags: number;
  /** The window may grow so far while a reader keeps up. */
  maxWindowBytes: number;
}

/** A window is a number of 32 bits. */
const MAX_WINDOW_BYTES = 0xffff_ffff;

/** What libp2p may put here beyond the window before it is told to wait. */
const HIGH_WATER_BYTES = 64 * 1024;
const LOW_WATER_BYTES = 16 * 1024;

/** A window that was used up faster than this was too small for the way to the other side. */
const GROW_WITHIN_MS = 250;

/**
 * A yamux stream. Credit is given back for bytes that the reader has taken, when they are half a window; so the
 * other side is never more than a window ahead, and the bytes between are what is held for it here.
 */
export class YamuxStream extends AbstractStream implements RawStream, Owner {
  readonly streamId: number;
  readonly queue = new ByteQueue();
  onWritten: ((bytes: number) => void) | undefined;
  readonly #muxing: StreamMuxing;
  readonly #maxWindowBytes: number;
  #openingFlags: number;
  #sink: RawSink | undefined;
  // Reading: all counted from the beginning of the stream.
  #window = INITIAL_WINDOW_BYTES;
  #received = 0;
  #taken = 0;
  #credited = 0;
  #held = false;
  #creditedAt = performance.now();
  #finReceived = false;
  // Writing.
  #sendWindow = INITIAL_WINDOW_BYTES;
  #finWaiting: PromiseWithResolvers<void> | undefined;
  #finSent = false;
  /** Sent by `send` and not yet with the kernel. */
  #plainBytes = 0;
  #full = false;

  constructor(init: YamuxStreamInit) {
    // The window is what bounds the bytes that wait for a reader; besides them, those that a reader has put back.
    super({ ...init, maxReadBufferLength: 2 * Math.max(init.maxWindowBytes, INITIAL_WINDOW_BYTES) });
    this.#muxing = init.muxing;
    this.streamId = init.streamId;
    this.#openingFlags = init.openingFlags;
    this.#maxWindowBytes = init.maxWindowBytes;
  }

  /** Bytes that the other side may still send. */
  get receiveWindow(): number {
    return this.#window - (this.#received - this.#credited);
  }

  get sendWindow(): number {
    return this.#sendWindow;
  }

  /** Both sides have said that they send no more, and nothing is missing. */
  get ended(): boolean {
    return this.#finReceived && this.#finSent;
  }

  override get writeBufferLength(): number {
    return super.writeBufferLength + this.queue.length;
  }

  /** The flags that the next frame must carry; none after that. */
  takeOpeningFlags(): number {
    const flags = this.#openingFlags;
    this.#openingFlags = 0;
    return flags;
  }

  // What comes from the muxer.

  /** A part of the body of a data frame. */
  receive(chunk: Buffer, start: number, end: number): void {
    if (this.#finReceived) {
      return;
    }
    this.#received += end - start;
    if (this.#sink !== undefined) {
      this.#sink.take(chunk, start, end);
    } else if (this.readStatus === 'closing' || this.readStatus === 'closed') {
      this.#settle();
    } else {
      this.onData(Buffer.from(chunk.subarray(start, end)));
    }
  }

  receiveFin(): void {
    if (this.#finReceived || this.status !== 'open') {
      return;
    }
    this.#finReceived = true;
    this.#sink?.ended();
    this.onRemoteCloseWrite();
  }

  receiveReset(): void {
    if (this.status === 'open' || this.status === 'closing') {
      this.#dropQueue();
      this.onRemoteReset();
      this.#muxing.forget(this);
    }
  }

  receiveCredit(delta: number): void {
    this.#sendWindow = Math.min(this.#sendWindow + delta, MAX_WINDOW_BYTES);
    if (this.queue.length > 0 && this.#sendWindow > 0) {
      this.#muxing.wait(this);
    }
  }

  /** Some of the queue was sent, by `bytes`. */
  sent(bytes: number): void {
    this.#sendWindow -= bytes;
    if (this.#full && this.queue.length <= LOW_WATER_BYTES) {
      this.#full = false;
      this.safeDispatchEvent('drain');
    }
    if (this.queue.length === 0) {
      this.#sendFin();
    }
  }

  /** In order: what libp2p's own sending put here before the raw use went first. */
  written(bytes: number): void {
    const plain = Math.min(bytes, this.#plainBytes);
    this.#plainBytes -= plain;
    if (bytes > plain) {
      this.onWritten?.(bytes - plain);
    }
  }

  // Raw use.

  readRaw(sink: RawSink, windowBytes: number): void {
    const waiting = this.readBuffer.subarray();
    this.readBuffer.consume(waiting.byteLength);
    this.#taken = this.#received - waiting.byteLength;
    this.#sink = sink;
    this.#held = false;
    if (windowBytes > this.#window && !this.#finReceived && this.status === 'open') {
      this.#widen(windowBytes);
    }
    this.#credit();
    if (waiting.byteLength > 0) {
      sink.take(waiting, 0, waiting.byteLength);
    }
    if (this.#finReceived) {
      sink.ended();
    }
  }

  taken(bytes: number): void {
    this.#taken += bytes;
    this.#credit();
  }

  writeRaw(chunk: Uint8Array, start: number, end: number): void {
    if (this.writeStatus !== 'writable') {
      throw new StreamStateError(`cannot write to a stream that is ${this.writeStatus}`);
    }
    this.#write(chunk, start, end);
  }

  #write(chunk: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.queue.length === 0 && this.#sendWindow > 0) {
      const bytes = this.#muxing.write(this, chunk, start, end, this.#sendWindow);
      this.#sendWindow -= bytes;
      at += bytes;
    }
    // The write itself can find that the connection is lost.
    if (at < end && this.status === 'open') {
      this.queue.push(chunk, at, end);
      if (this.#sendWindow > 0) {
        this.#muxing.wait(this);
      }
    }
  }

  // What libp2p's stream asks for.

  sendData(data: Uint8ArrayList): SendResult {
    this.#plainBytes += data.byteLength;
    for (const piece of data) {
      this.#write(piece, 0, piece.byteLength);
    }
    this.#full = this.queue.length > HIGH_WATER_BYTES;
    return { sentBytes: data.byteLength, canSendMore: !this.#full };
  }

  async sendCloseWrite(options?: AbortOptions): Promise<void> {
    if (this.queue.length > 0) {
      this.#finWaiting = Promise.withResolvers<void>();
      const { promise } = this.#finWaiting;
      await (options?.signal === undefined ? promise : abortable(promise, options.signal));
    } else {
      this.#sendFin(true);
    }
  }

  async sendCloseRead(): Promise<void> {
    // Yamux has no such message: what still comes is dropped, and credited so that the other side can end.
    this.#settle();
  }

  sendReset(): void {
    this.#dropQueue();
    this.#muxing.windowUpdate(this, Flag.RST, 0);
    this.#muxing.forget(this);
  }

  sendPause(): void {
    this.#held = true;
  }

  sendResume(): void {
    this.#held = false;
    this.#settle();
  }

  override onTransportClosed(error?: Error): void {
    this.#dropQueue();
    super.onTransportClosed(error);
    this.#muxing.forget(this);
  }

  protected override dispatchReadBuffer(): void {
    super.dispatchReadBuffer();
    this.#settle();
  }

  /** What is not in the read buffer has been taken by the reader. */
  #settle(): void {
    if (this.#sink === undefined) {
      this.#taken = Math.max(this.#taken, this.#received - this.readBuffer.byteLength);
      this.#credit();
    }
  }

  #credit(): void {
    const due = this.#taken - this.#credited;
    if (this.#held || due * 2 < this.#window || this.remoteWriteStatus === 'closed' || this.status !== 'open') {
      return;
    }
    const now = performance.now();
    if (this.#sink === undefined && now - this.#creditedAt < GROW_WITHIN_MS && this.#window < this.#maxWindowBytes) {
      this.#widen(Math.min(this.#window * 2, this.#maxWindowBytes));
    }
    this.#creditedAt = now;
    this.#credited += due;
    this.#muxing.windowUpdate(this, this.takeOpeningFlags(), due);
  }

  #widen(windowBytes: number): void {
    const more = windowBytes - this.#window;
    this.#window = windowBytes;
    this.#muxing.windowUpdate(this, this.takeOpeningFlags(), more);
  }

  #sendFin(now = false): void {
    if ((now || this.#finWaiting !== undefined) && !this.#finSent) {
      this.#finSent = true;
      this.#muxing.windowUpdate(this, this.takeOpeningFlags() | Flag.FIN, 0);
      this.#finWaiting?.resolve();
    }
  }

  #dropQueue(): void {
    this.queue.clear();
    this.#finWaiting?.reject(new StreamResetError('the stream was reset before all of it was sent'));
  }
}
