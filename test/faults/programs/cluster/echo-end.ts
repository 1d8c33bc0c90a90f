import type { Stream } from '@libp2p/interface';
import { nowMs } from '../../support/time.ts';

/** One echo after the other, so often. */
const EVERY_MS = 100;

/** The near end of a circuit whose far end echoes: a byte goes out, and the next one when it is back. */
export class EchoEnd {
  readonly #stream: Stream;
  #sentAtMs: number | undefined;
  #longestMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #waiting: (() => void) | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    stream.addEventListener('message', () => this.#back());
    stream.addEventListener('close', () => clearInterval(this.#timer));
  }

  get isOpen(): boolean {
    return this.#stream.status === 'open';
  }

  /** The longest that an echo took, or has not come for. */
  get longestMs(): number {
    return Math.max(this.#longestMs, this.#sentAtMs === undefined ? 0 : nowMs() - this.#sentAtMs);
  }

  /** Resolves when one echo is back. @throws Error when it is not in time */
  async once(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no echo')), timeoutMs);
      this.#waiting = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#send();
    });
  }

  keepOn(): void {
    this.#timer = setInterval(() => {
      if (this.#sentAtMs === undefined && this.isOpen) this.#send();
    }, EVERY_MS);
  }

  forget(): void {
    this.#longestMs = 0;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stream.abort(new Error('not needed any more'));
  }

  #send(): void {
    this.#sentAtMs = nowMs();
    this.#stream.send(Uint8Array.of(1));
  }

  #back(): void {
    if (this.#sentAtMs !== undefined) this.#longestMs = Math.max(this.#longestMs, nowMs() - this.#sentAtMs);
    this.#sentAtMs = undefined;
    this.#waiting?.();
  }
}
