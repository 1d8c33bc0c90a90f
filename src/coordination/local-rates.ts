import type { RateClaim } from '../lib/cluster/relay-cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { TokenBucket } from '../lib/token-bucket.ts';
import type { Rate } from '../lib/token-bucket.ts';

/** Who asks that often under so many names while the store is away has the oldest forgotten. */
const MAX_BUCKETS = 16_384;

/** The rates over the cluster while nobody counts them over the cluster: this relay's part of each. */
export class LocalRates {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { count: number; bucket: TokenBucket }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until `claim` has a token when `count` is this relay's part of its rate; 0 when there is one. Spends nothing. */
  waitMs({ key, rate }: RateClaim, count: number): number {
    return count === 0 ? rate.perMs : this.#bucket(key, { ...rate, count }).waitMs();
  }

  spend({ key, rate }: RateClaim, count: number): void {
    this.#bucket(key, { ...rate, count }).tryTake();
  }

  clear(): void {
    this.#buckets.clear();
  }

  #bucket(key: string, rate: Rate): TokenBucket {
    const known = this.#buckets.get(key);
    if (known?.count === rate.count) return known.bucket;
    const bucket = new TokenBucket(rate, this.#clock);
    this.#buckets.set(key, { count: rate.count, bucket });
    const oldest = this.#buckets.keys().next();
    if (this.#buckets.size > MAX_BUCKETS && !oldest.done) this.#buckets.delete(oldest.value);
    return bucket;
  }
}
