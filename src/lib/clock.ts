import { TimerWheel } from './timer-wheel.ts';

/**
 * Time as the program sees it. `now` is monotonic and is what limits are enforced with;
 * `wall` is only for what goes on the wire or in front of a person. Tests inject their own.
 */
export interface Clock {
  /** Monotonic milliseconds from an arbitrary start. */
  now(): number;
  /** Unix time in milliseconds. */
  wall(): number;
  /** Runs `fn` once after `delayMs`, never before by {@link now}; the timer does not keep the process alive. */
  setTimer(fn: () => void, delayMs: number): TimerHandle;
  /** As {@link setTimer}, but it may fire up to {@link COARSE_MS} late: for what each reservation and circuit waits for. */
  setCoarseTimer(fn: () => void, delayMs: number): TimerHandle;
}

export interface TimerHandle {
  cancel(): void;
}

/** No limit that is counted in seconds is the worse for it, and ten wake-ups a second cost nothing that can be measured. */
const COARSE_MS = 100;

/** The longest delay Node's timers take; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Node counts timers in whole milliseconds of its event loop's clock, so that one fires up to one early by {@link Clock.now}: whoever looks then finds nothing
 * due yet, and may have nothing else that looks again.
 */
const EARLY_MS = 1;

const exact = {
  now: () => performance.now(),
  setTimer: (fn: () => void, delayMs: number) => startTimer(fn, delayMs),
};

const wheel = new TimerWheel(exact, COARSE_MS);

export const systemClock: Clock = {
  ...exact,
  wall: () => Date.now(),
  setCoarseTimer: (fn, delayMs) => wheel.setTimer(fn, delayMs),
};

function startTimer(fn: () => void, delayMs: number): TimerHandle {
  let left = delayMs <= 0 ? 0 : Math.ceil(delayMs) + EARLY_MS;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const step = Math.min(left, MAX_TIMER_MS);
    left -= step;
    timer = setTimeout(() => (left > 0 ? arm() : fn()), step);
    timer.unref();
  };
  if (delayMs === Infinity) {
    return { cancel: () => {} };
  }
  arm();
  return { cancel: () => clearTimeout(timer) };
}

/** A clock that a test moves by hand; timers, coarse ones too, fire in order as it passes them. */
export class ManualClock implements Clock {
  #now = 0;
  #wall: number;
  #timers: { at: number; fn: () => void; live: boolean }[] = [];

  constructor(wallMs = 1_700_000_000_000) {
    this.#wall = wallMs;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wall;
  }

  setTimer(fn: () => void, delayMs: number): TimerHandle {
    const timer = { at: this.#now + delayMs, fn, live: true };
    this.#timers.push(timer);
    return { cancel: () => (timer.live = false) };
  }

  setCoarseTimer(fn: () => void, delayMs: number): TimerHandle {
    return this.setTimer(fn, delayMs);
  }

  /** Timers that are armed and not yet fired. */
  get pending(): number {
    return this.#timers.filter((timer) => timer.live && timer.at !== Infinity).length;
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((timer) => timer.live && timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) {
        break;
      }
      this.#step(due.at);
      due.live = false;
      due.fn();
    }
    this.#timers = this.#timers.filter((timer) => timer.live);
    this.#step(end);
  }

  /** Moves only the wall clock, as an operator or NTP would. */
  stepWall(ms: number): void {
    this.#wall += ms;
  }

  #step(to: number): void {
    this.#wall += to - this.#now;
    this.#now = to;
  }
}
