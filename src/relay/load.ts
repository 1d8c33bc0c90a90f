import type { Clock } from '../lib/clock.ts';
import type { LoadStatement } from '../lib/directory/statement.ts';

/** What the load of one class is worked out from, now. */
export interface LoadFigures {
  readonly reservations: { readonly count: number; readonly max: number };
  readonly circuits: { readonly count: number; readonly max: number };
  /** All that the class has carried. */
  readonly bytesRelayed: number;
  /** `Infinity` where no total is set. */
  readonly maxBytesPerSecond: number;
  readonly eventLoopDelayMs: number;
}

/** Enough to tell an idle relay from a busy and a full one; more would tell who comes and goes. */
const SHARES = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1];

/** From what nobody notices to what no client should choose; `relay.maxEventLoopDelay` is 500 ms by default. */
const DELAYS_MS = [0, 20, 50, 100, 250, 500, 1_000, 2_500];

/** A level is left downwards only when this share of the way to the next lower one is behind: what hovers at a step changes nothing. */
const SLACK = 0.25;

/** The load of one limit class in steps. */
export class Load {
  readonly #clock: Clock;
  readonly #figures: () => LoadFigures;
  readonly #reservations = new Level(SHARES);
  readonly #circuits = new Level(SHARES);
  readonly #bandwidth = new Level(SHARES);
  readonly #delay = new Level(DELAYS_MS);
  #measured: { bytes: number; at: number };
  #bytesPerSecond = 0;

  constructor(clock: Clock, figures: () => LoadFigures) {
    this.#clock = clock;
    this.#figures = figures;
    this.#measured = { bytes: 0, at: clock.now() };
  }

  /** To be called from time to time: the bandwidth is that since the last call. */
  measure(): void {
    const { bytesRelayed: bytes } = this.#figures();
    const at = this.#clock.now();
    const seconds = (at - this.#measured.at) / 1000;
    if (seconds > 0) {
      this.#bytesPerSecond = (bytes - this.#measured.bytes) / seconds;
      this.#measured = { bytes, at };
    }
  }

  now(): LoadStatement {
    const { reservations, circuits, maxBytesPerSecond, eventLoopDelayMs } = this.#figures();
    return {
      reservations: this.#reservations.of(share(reservations)),
      circuits: this.#circuits.of(share(circuits)),
      bandwidth: Number.isFinite(maxBytesPerSecond) ? this.#bandwidth.of(this.#bytesPerSecond / maxBytesPerSecond) : undefined,
      eventLoopDelayMs: this.#delay.of(eventLoopDelayMs),
    };
  }
}

/** Where there is no room at all, all of it is used. */
function share({ count, max }: { count: number; max: number }): number {
  return max === 0 ? 1 : count / max;
}

/** A value in steps: the highest that it has reached, until it is clearly below. */
class Level {
  readonly #steps: readonly number[];
  #current = 0;

  constructor(steps: readonly number[]) {
    this.#steps = steps;
  }

  of(value: number): number {
    while (this.#current > 0 && value < this.#step() - SLACK * (this.#step() - this.#step(-1))) this.#current--;
    while (value >= this.#step(1)) this.#current++;
    return this.#step();
  }

  #step(offset = 0): number {
    return this.#steps[this.#current + offset] ?? Infinity;
  }
}
