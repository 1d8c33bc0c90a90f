import type { StreamMessageEvent } from '@libp2p/interface';
import { Uint8ArrayList } from 'uint8arraylist';
import type { TimerHandle } from '../lib/clock.ts';
import { giveCredit, holdCredit } from '../lib/flow.ts';
import type { Flow, FlowOptions } from './flow.ts';

/**
 * One direction of a circuit between streams of any muxer. Whatever arrives is handed to the receiver's stream at once or waits here; the sender gets
 * window credit only when nothing waits here or in the receiver's stream, so a receiver that stops costs at
 * most the one window that the sender already had (conformance 33). Byte rates delay by the same means.
 */
export class CreditFlow implements Flow {
  readonly #o: FlowOptions;
  readonly #waiting = new Uint8ArrayList();
  #moved = 0;
  #counted = 0;
  #held = false;
  #running = false;
  #finCame = false;
  #senderEnded = false;
  #ending = false;
  #over = false;
  #timer: TimerHandle | undefined;
  readonly #stopped = new AbortController();

  constructor(options: FlowOptions) {
    this.#o = options;
  }

  /** Bytes handed on so far. */
  get moved(): number {
    return this.#moved;
  }

  /** Bytes between sender and receiver now. */
  get buffered(): number {
    return this.#waiting.byteLength + (this.#over ? 0 : this.#o.to.writeBufferLength) + this.#o.from.readBufferLength;
  }

  /** True once the sender's end has been passed on, or the flow was stopped. */
  get over(): boolean {
    return this.#over;
  }

  /** The sender has sent all that it will, and said so. */
  get senderEnded(): boolean {
    return this.#finCame;
  }

  /** All that the sender sent is with the receiver's stream, which is being closed, or has been. */
  get ending(): boolean {
    return this.#ending;
  }

  start(): void {
    const { from, to } = this.#o;
    to.addEventListener('drain', this.#onRoom);
    to.addEventListener('idle', this.#onRoom);
    from.addEventListener('remoteCloseWrite', this.#onFin);
    from.addEventListener('message', this.#onMessage);
    this.#held = true;
    this.#finCame = from.status === 'open' && from.remoteWriteStatus === 'closed';
    // The handler held the sender's credit while it opened the circuit; early bytes come in a microtask.
    setImmediate(() => this.#run());
  }

  /** Stops without passing anything on; what waits is dropped. */
  stop(): void {
    if (this.#over) {
      return;
    }
    this.#finish();
    this.#waiting.consume(this.#waiting.byteLength);
  }

  #finish(): void {
    const { from, to, ledger } = this.#o;
    this.#over = true;
    this.#stopped.abort();
    this.#timer?.cancel();
    ledger.forget(this.#runNow);
    ledger.change(-this.#counted);
    this.#counted = 0;
    to.removeEventListener('drain', this.#onRoom);
    to.removeEventListener('idle', this.#onRoom);
    from.removeEventListener('remoteCloseWrite', this.#onFin);
    from.removeEventListener('message', this.#onMessage);
  }

  readonly #onMessage = (event: StreamMessageEvent): void => {
    this.#waiting.append(event.data);
    this.#run();
  };

  /**
   * Only the sender's own end counts. The stream's `end` event also comes with a reset and with a lost connection, which passed on
   * as an end would make what was cut off look whole. Bytes may come in the same frame, behind it.
   */
  readonly #onFin = (): void => {
    this.#finCame = true;
    queueMicrotask(this.#runNow);
  };

  /** The stream's own listener sends what it holds in a microtask: ours runs behind it. */
  readonly #onRoom = (): void => queueMicrotask(this.#runNow);

  readonly #runNow = (): void => this.#run();

  #run(): void {
    // Sending can raise `drain` or `idle` at once, which would come back here.
    if (this.#running || this.#over) {
      return;
    }
    this.#running = true;
    this.#senderEnded = this.#finCame && this.#o.from.readBufferLength === 0;
    try {
      while (this.#waiting.byteLength > 0 && this.#mayMove()) {
        this.#moveOne();
      }
      this.#settle();
    } catch (error) {
      this.#o.onError(error);
    } finally {
      this.#running = false;
    }
  }

  #mayMove(): boolean {
    return !this.#over && !this.#receiverFull() && !this.#rateLimited();
  }

  #receiverFull(): boolean {
    return this.#o.to.writableNeedsDrain || this.#o.to.writeBufferLength > 0;
  }

  #rateLimited(): boolean {
    const waitMs = this.#o.shaper.waitMs();
    if (waitMs > 0 && this.#timer === undefined) {
      this.#timer = this.#o.clock.setTimer(() => {
        this.#timer = undefined;
        this.#run();
      }, waitMs);
    }
    return waitMs > 0;
  }

  #moveOne(): void {
    const allowed = this.#o.limitBytes - this.#moved;
    const bytes = Math.min(this.#waiting.byteLength, this.#o.shaper.pieceBytes, allowed);
    if (bytes > 0) {
      const piece = this.#waiting.sublist(0, bytes);
      this.#waiting.consume(bytes);
      this.#o.to.send(piece);
      this.#moved += bytes;
      this.#o.shaper.moved(bytes);
      this.#o.onMoved(bytes);
    }
    if (bytes === allowed && this.#waiting.byteLength > 0) {
      this.#o.onOverLimit();
    }
  }

  #settle(): void {
    if (this.#over) {
      return;
    }
    this.#account();
    if (this.#waiting.byteLength === 0 && this.#senderEnded) {
      void this.#passOnEnd();
    } else if (this.#waiting.byteLength === 0 && !this.#receiverFull() && !this.#rateLimited()) {
      this.#open();
    } else {
      this.#hold();
    }
  }

  #account(): void {
    const buffered = this.buffered;
    const delta = buffered - this.#counted;
    this.#counted = buffered;
    if (delta !== 0) {
      this.#o.ledger.change(delta);
    }
  }

  #open(): void {
    if (this.#o.ledger.full) {
      this.#o.ledger.onRoom(this.#runNow);
      this.#hold();
    } else if (this.#held) {
      this.#held = false;
      giveCredit(this.#o.from);
    }
  }

  #hold(): void {
    if (!this.#held) {
      this.#held = true;
      holdCredit(this.#o.from);
    }
  }

  /** Half-close (conformance 31): the receiver's stream is closed for writing once all is sent. */
  async #passOnEnd(): Promise<void> {
    const { to, onEnd, onError } = this.#o;
    if (this.#ending) {
      return;
    }
    this.#ending = true;
    try {
      await to.close({ signal: this.#stopped.signal });
      if (!this.#over) {
        this.#finish();
        onEnd();
      }
    } catch (error) {
      if (!this.#over) onError(error);
    }
  }
}
