import type { Clock } from '../lib/clock.ts';
import { sleep } from '../lib/deadline.ts';

interface RoundsOptions<T> {
  clock: Clock;
  /** Those that do not know yet. */
  behind: () => readonly T[];
  /** Never rejects. */
  tell: (one: T) => Promise<void>;
}

/** So many are told at a time, and this long after come the next, whether those have listened or not: 10,000 within 8 s. */
const AT_A_TIME = 128;
const BETWEEN_MS = 100;

/** Who has not taken the news by then is told again, so often. */
const AGAIN_AFTER_MS = 3_000;
const ROUNDS = 4;

/** Tells everybody the newest, and those again who do not seem to have heard. */
export class Rounds<T> {
  readonly #o: RoundsOptions<T>;
  #current: AbortController | undefined;

  constructor(options: RoundsOptions<T>) {
    this.#o = options;
  }

  /** There is something new: what was being told is old. */
  begin(): void {
    this.stop();
    this.#current = new AbortController();
    void this.#run(this.#current.signal);
  }

  stop(): void {
    this.#current?.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let round = 0; round < ROUNDS && !signal.aborted; round++) {
      await this.#round(signal);
      await sleep(AGAIN_AFTER_MS, this.#o.clock, signal);
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const behind = this.#o.behind();
    for (let at = 0; at < behind.length && !signal.aborted; at += AT_A_TIME) {
      behind.slice(at, at + AT_A_TIME).forEach((one) => void this.#o.tell(one));
      await sleep(BETWEEN_MS, this.#o.clock, signal);
    }
  }
}
