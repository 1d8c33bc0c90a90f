import type { Clock, TimerHandle } from '../../lib/clock.ts';
import type { Lease } from './lease.ts';
import type { Pools } from './pools.ts';
import type { Share } from './share.ts';

/** What nobody uses is looked for so often. */
const SWEEP_EVERY_MS = 500;

interface SparesOptions {
  readonly pools: Pools;
  readonly clock: Clock;
  /** It may be time that some of `pool` goes back. */
  readonly onSpare: (pool: Share | Lease) => void;
}

/** Pools of which something is free that nobody waits for: looked at every so often, until it is used or has gone back. */
export class Spares {
  readonly #o: SparesOptions;
  readonly #spare = new Set<Share | Lease>();
  #sweep: TimerHandle | undefined;

  constructor(options: SparesOptions) {
    this.#o = options;
  }

  /** Something of `pool` has changed: it is spare, or in use, or nothing is left of it and it is forgotten. */
  tidy(pool: Share | Lease): void {
    if (pool.free > 0 && pool.waiting === 0) {
      this.#spare.add(pool);
      this.#sweep ??= this.#o.clock.setTimer(() => this.#sweepSpare(), SWEEP_EVERY_MS);
    } else {
      this.#o.pools.forget(pool, this.#o.clock.now());
    }
  }

  clear(): void {
    this.#spare.clear();
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  #sweepSpare(): void {
    this.#sweep = undefined;
    for (const pool of this.#spare) {
      if (pool.free <= 0) this.#spare.delete(pool);
      this.#o.onSpare(pool);
    }
    if (this.#spare.size > 0) this.#sweep = this.#o.clock.setTimer(() => this.#sweepSpare(), SWEEP_EVERY_MS);
  }
}
