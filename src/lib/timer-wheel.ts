import type { Clock, TimerHandle } from './clock.ts';

type BaseClock = Pick<Clock, 'now' | 'setTimer'>;

/**
 * Many timers that may be late, on one that is exact. A timer fires at the first tick that is not before its time: never early, and
 * less than a tick late. Setting and cancelling one costs an entry in a set. The exact timer runs only while the wheel holds something.
 */
export class TimerWheel {
  readonly #clock: BaseClock;
  readonly #tickMs: number;
  readonly #slots = new Map<number, Slot>();
  #held = 0;
  /** Every slot up to this tick has been emptied. */
  #past = 0;
  /** Whether the exact timer runs. */
  #turning = false;

  constructor(clock: BaseClock, tickMs: number) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  setTimer(fn: () => void, delayMs: number): TimerHandle {
    if (delayMs === Infinity) {
      return { cancel: () => {} };
    }
    const now = this.#clock.now();
    if (!this.#turning) {
      this.#past = Math.ceil(now / this.#tickMs) - 1;
      this.#arm(now);
    }
    const slot = this.#slot(Math.max(Math.ceil((now + delayMs) / this.#tickMs), this.#past + 1));
    const timer = new WheelTimer(fn, slot, this.#onLeave);
    slot.timers.add(timer);
    this.#held++;
    return timer;
  }

  #slot(tick: number): Slot {
    const slot = this.#slots.get(tick) ?? { tick, timers: new Set() };
    this.#slots.set(tick, slot);
    return slot;
  }

  #arm(now: number): void {
    this.#turning = true;
    this.#clock.setTimer(this.#turn, (this.#past + 1) * this.#tickMs - now);
  }

  /** Empties what is due: several slots when the event loop was late. */
  readonly #turn = (): void => {
    const now = this.#clock.now();
    const due = Math.floor(now / this.#tickMs);
    while (this.#past < due && this.#held > 0) {
      this.#past++;
      this.#slots.get(this.#past)?.timers.forEach((timer) => timer.fire());
    }
    this.#past = Math.max(this.#past, due);
    this.#turning = false;
    if (this.#held > 0) this.#arm(now);
  };

  readonly #onLeave = (slot: Slot): void => {
    this.#held--;
    if (slot.timers.size === 0) this.#slots.delete(slot.tick);
  };
}

interface Slot {
  readonly tick: number;
  readonly timers: Set<WheelTimer>;
}

class WheelTimer implements TimerHandle {
  readonly #fn: () => void;
  readonly #slot: Slot;
  readonly #onLeave: (slot: Slot) => void;

  constructor(fn: () => void, slot: Slot, onLeave: (slot: Slot) => void) {
    this.#fn = fn;
    this.#slot = slot;
    this.#onLeave = onLeave;
  }

  cancel(): void {
    if (this.#slot.timers.delete(this)) {
      this.#onLeave(this.#slot);
    }
  }

  fire(): void {
    this.cancel();
    this.#fn();
  }
}
