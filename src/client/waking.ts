import type { Clock, TimerHandle } from '../lib/clock.ts';

/** Has a decision made: once for all that happens in a turn, and when something is due. */
export class Waking {
  readonly #clock: Clock;
  readonly #decide: () => void;
  #isSoon = false;
  #timer: TimerHandle | undefined;

  constructor(clock: Clock, decide: () => void) {
    this.#clock = clock;
    this.#decide = decide;
  }

  soon(): void {
    if (!this.#isSoon) {
      this.#isSoon = true;
      queueMicrotask(() => {
        this.#isSoon = false;
        this.#decide();
      });
    }
  }

  /** In place of the time set before. @param timeMs on the monotonic clock; `Infinity` for never */
  at(timeMs: number): void {
    this.#timer?.cancel();
    this.#timer = Number.isFinite(timeMs) ? this.#clock.setTimer(() => this.#decide(), Math.max(0, timeMs - this.#clock.now())) : undefined;
  }
}
