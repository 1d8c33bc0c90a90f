import type { Clock, TimerHandle } from '../../../../src/lib/clock.ts';

/** Time that passes only when a test says so, with everything that waits for promises done between one timer and the next. */
export class SimulatedTime implements Clock {
  readonly #earlyMs: () => number;
  #now = 0;
  #number = 0;
  readonly #timers = new Map<number, { at: number; fn: () => void }>();

  /** @param earlyMs how much too early the next timer is, less than 1: those of Node count in whole milliseconds */
  constructor(earlyMs: () => number = () => 0) {
    this.#earlyMs = earlyMs;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now;
  }

  setTimer(fn: () => void, delayMs: number): TimerHandle {
    return this.after(fn, Math.max(1, Math.ceil(delayMs)) - this.#earlyMs());
  }

  /** At that time exactly. */
  after(fn: () => void, delayMs: number): TimerHandle {
    const number = ++this.#number;
    if (delayMs !== Infinity) this.#timers.set(number, { at: this.#now + Math.max(0, delayMs), fn });
    return { cancel: () => void this.#timers.delete(number) };
  }

  setCoarseTimer(fn: () => void, delayMs: number): TimerHandle {
    return this.setTimer(fn, delayMs);
  }

  async run(ms: number): Promise<void> {
    const end = this.#now + ms;
    await quiet();
    for (;;) {
      const due = this.#next(end);
      if (due === undefined) break;
      this.#timers.delete(due.number);
      this.#now = due.at;
      due.fn();
      await quiet();
    }
    this.#now = end;
  }

  #next(end: number): { number: number; at: number; fn: () => void } | undefined {
    let first: { number: number; at: number; fn: () => void } | undefined;
    for (const [number, timer] of this.#timers) {
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = { number, ...timer };
    }
    return first;
  }
}

/** All promises that can settle have. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
