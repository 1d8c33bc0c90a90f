import type { Clock, TimerHandle } from '../lib/clock.ts';
import { RelaydError } from '../lib/errors.ts';

/** Times the usual round trip: what takes longer is not on its way any more. */
const USUAL_TIMES = 8;
/** A store on this machine answers in less than a millisecond, and now and then something else runs first. */
const MIN_MS = 25;
/** A client waits for its answer meanwhile; the round trip to the far side of the world. */
const MAX_MS = 250;

/** How fast the estimate follows: at once upwards, slowly down. One slow answer in a busy second is no reason to give the store up. */
const UP = 0.5;
const DOWN = 0.05;

/** A wait is counted in so many pieces, each of which counts as what it was to be: a busy or stalled process reads its answers late too. */
const PIECES = 8;
/** A piece that took so much longer says that this process was busy. */
const LATE_MS = 5;

/** How long the store may take to answer before this relay decides by itself, learnt from how long it took before. */
export class Patience {
  readonly #clock: Clock;
  #usualMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param floorMs of a round trip, where one is known from elsewhere */
  limitMs(floorMs = 0): number {
    return this.#usualMs === undefined ? MAX_MS : Math.min(MAX_MS, Math.max(MIN_MS, USUAL_TIMES * Math.max(this.#usualMs, floorMs)));
  }

  /** An answer took so long. */
  took(ms: number): void {
    const usual = this.#usualMs ?? ms;
    this.#usualMs = usual + (ms - usual) * (ms > usual ? UP : DOWN);
  }

  /**
   * A signal that aborts after `ms` of time in which this process was free to run, or with `parent`.
   *
   * @returns with it, what ends the wait; to be called whatever the outcome
   */
  wait(ms: number, parent: AbortSignal): { signal: AbortSignal; clear: () => void } {
    const controller = new AbortController();
    const onParent = (): void => controller.abort(parent.reason);
    if (parent.aborted) onParent();
    else parent.addEventListener('abort', onParent, { once: true });
    const startedAt = this.#clock.now();
    const piece = (left: number, dueAt = this.#clock.now() + ms / PIECES): TimerHandle =>
      this.#clock.setTimer(() => {
        const now = this.#clock.now();
        const isLong = now - startedAt >= MAX_MS && now - dueAt <= LATE_MS;
        if (left > 1 && !isLong) timer = piece(left - 1);
        else controller.abort(new RelaydError('STORE_UNAVAILABLE', `no answer within ${Math.round(now - startedAt)} ms`));
      }, ms / PIECES);
    let timer = piece(PIECES);
    return {
      signal: controller.signal,
      clear: () => {
        timer.cancel();
        parent.removeEventListener('abort', onParent);
      },
    };
  }
}
