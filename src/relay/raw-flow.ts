import { ByteQueue } from '../lib/byte-queue.ts';
import type { TimerHandle } from '../lib/clock.ts';
import type { RawSink, RawStream } from '../lib/raw-stream.ts';
import type { Flow, FlowOptions } from './flow.ts';

export interface RawFlowOptions extends FlowOptions {
  from: RawStream;
  to: RawStream;
}

/**
 * One direction of a circuit between two streams of the native data path. What arrives is written to the receiver's connection at
 * once; the sender gets window credit for it when it has left for the kernel. So a receiver that stops costs at most the one window
 * that the sender already had (conformance 33). Byte rates keep bytes, and with them their credit, back.
 */
export class RawFlow implements Flow, RawSink {
  readonly #o: RawFlowOptions;
  /** Bytes that a rate does not let go yet. */
  readonly #shaped = new ByteQueue();
  #moved = 0;
  #held = 0;
  #started = false;
  #over = false;
  #senderEnded = false;
  #pastLimit = false;
  #ending = false;
  #timer: TimerHandle | undefined;
  readonly #stopped = new AbortController();

  constructor(options: RawFlowOptions) {
    this.#o = options;
  }

  get moved(): number {
    return this.#moved;
  }

  get buffered(): number {
    return this.#held;
  }

  get over(): boolean {
    return this.#over;
  }

  get senderEnded(): boolean {
    return this.#senderEnded;
  }

  get ending(): boolean {
    return this.#ending;
  }

  start(): void {
    if (this.#started || this.#over) {
      return;
    }
    this.#started = true;
    this.#o.to.onWritten = this.#onWritten;
    this.#o.from.readRaw(this, this.#o.windowBytes);
  }

  stop(): void {
    if (!this.#over) {
      this.#over = true;
      this.#stopped.abort();
      this.#timer?.cancel();
      this.#shaped.clear();
      this.#o.ledger.change(-this.#held);
      this.#held = 0;
    }
  }

  take(chunk: Uint8Array, start: number, end: number): void {
    if (this.#over) {
      return;
    }
    const allowed = this.#o.limitBytes - this.#moved - this.#shaped.length;
    const stop = end - start > allowed ? start + allowed : end;
    try {
      if (stop > start) {
        this.#accept(chunk, start, stop);
      }
      if (stop < end) {
        this.#pastLimit = true;
        this.#settle();
      }
    } catch (error) {
      this.#o.onError(error);
    }
  }

  ended(): void {
    this.#senderEnded = true;
    this.#settle();
  }

  #accept(chunk: Uint8Array, start: number, end: number): void {
    this.#held += end - start;
    // The ledger may end this circuit to stay within its bound.
    this.#o.ledger.change(end - start);
    if (this.#over) {
      return;
    }
    if (this.#o.shaper.unlimited) {
      this.#move(chunk, start, end);
    } else {
      this.#shaped.push(chunk, start, end);
      this.#letGo();
    }
  }

  #move(chunk: Uint8Array, start: number, end: number): void {
    this.#moved += end - start;
    this.#o.to.writeRaw(chunk, start, end);
    this.#o.onMoved(end - start);
  }

  /** Passes on as much as the rates allow, and comes back for the rest. */
  #letGo(): void {
    const { shaper, clock } = this.#o;
    while (this.#shaped.length > 0 && !this.#over) {
      const waitMs = shaper.waitMs();
      if (waitMs > 0) {
        this.#timer ??= clock.setTimer(() => this.#comeBack(), waitMs);
        return;
      }
      const piece = Buffer.allocUnsafe(Math.min(shaper.pieceBytes, this.#shaped.length));
      this.#shaped.shift(piece, 0, piece.length);
      shaper.moved(piece.length);
      this.#move(piece, 0, piece.length);
    }
    this.#settle();
  }

  #comeBack(): void {
    this.#timer = undefined;
    try {
      this.#letGo();
    } catch (error) {
      this.#o.onError(error);
    }
  }

  readonly #onWritten = (bytes: number): void => {
    if (!this.#over) {
      this.#held -= bytes;
      this.#o.ledger.change(-bytes);
      this.#o.from.taken(bytes);
    }
  };

  #settle(): void {
    if (this.#shaped.length > 0 || this.#over || this.#ending) {
      return;
    }
    if (this.#pastLimit) {
      this.#o.onOverLimit();
    } else if (this.#senderEnded) {
      this.#ending = true;
      void this.#passOnEnd();
    }
  }

  /** Half-close (conformance 31): the receiver's stream is closed for writing behind all that was sent. */
  async #passOnEnd(): Promise<void> {
    const { to, onEnd, onError } = this.#o;
    try {
      await to.close({ signal: this.#stopped.signal });
      if (!this.#over) {
        this.stop();
        onEnd();
      }
    } catch (error) {
      if (!this.#over) onError(error);
    }
  }
}
