import type { Clock } from '../../lib/clock.ts';

/** More than two clocks drift apart between beats, and less than anybody notices of how long a reservation counts. */
const STEP_MS = 2_000;

/** When it was asked, by this relay's clock, what the store's clock said then, and when the answer was here. */
interface Reading {
  readonly askedAt: number;
  readonly storeMs: number;
  readonly heardAt: number;
}

/** Notices when the store's clock is stepped: what it lets end at a time ends too early then, or too late. */
export class Stepped {
  readonly #clock: Pick<Clock, 'now'>;
  #last: Reading | undefined;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Whether it was, since the answer before; however long either of the two was on its way. */
  between(askedAt: number, storeMs: number): boolean {
    const last = this.#last;
    const heardAt = this.#clock.now();
    this.#last = { askedAt, storeMs, heardAt };
    if (last === undefined) return false;
    const advanceMs = storeMs - last.storeMs;
    return advanceMs > heardAt - last.askedAt + STEP_MS || advanceMs < askedAt - last.heardAt - STEP_MS;
  }

  forget(): void {
    this.#last = undefined;
  }
}
