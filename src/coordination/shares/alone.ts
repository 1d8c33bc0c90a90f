import type { Clock } from '../../lib/clock.ts';
import { Buckets } from './buckets.ts';
import type { Lease } from './lease.ts';
import type { Served } from './pool.ts';
import { Share } from './share.ts';
import type { Views } from './views.ts';

/** Decides for keys whose owner does not answer: by what this relay holds itself, and by its part of the limit (../bound.ts). */
export class Alone {
  readonly #views: Views;
  /** What this relay has spent of rates by itself. */
  readonly #buckets: Buckets;

  constructor(views: Views, clock: Clock) {
    this.#views = views;
    this.#buckets = new Buckets(clock);
  }

  /** For everybody who waits. */
  decide(pool: Share | Lease): void {
    pool.serve();
    pool.serveBy(pool instanceof Share ? () => this.#place(pool) : () => this.#token(pool));
  }

  clear(): void {
    this.#buckets.clear();
  }

  #place(share: Share): Served {
    const maximum = this.#views.alone(share.maximum);
    if (share.taken >= maximum) {
      return { ok: false, current: share.taken, maximum };
    }
    share.takeAlone();
    return { ok: true };
  }

  #token({ key, rate }: Lease): Served {
    const count = this.#views.alone(rate.count);
    const part = { ...rate, count };
    if (this.#buckets.available(key, part) < 1) {
      return { ok: false, current: count, maximum: count, retryAfterMs: this.#buckets.waitMs(key, part) };
    }
    this.#buckets.spend(key, part, 1);
    return { ok: true };
  }
}
