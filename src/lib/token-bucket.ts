import type { Clock } from './clock.ts';

/** A rate: `count` tokens come back over `perMs`; as many may be spent at once (the burst). */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

/**
 * A token bucket. It starts full, refills evenly, and never holds more than its burst.
 * `undefined` as a rate means unlimited.
 */
export class TokenBucket {
  readonly #rate: Rate;
  readonly #clock: Clock;
  #tokens: number;
  #refilledAt: number;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = rate.count;
    this.#refilledAt = clock.now();
  }

  /** Spends `count` tokens if that many are there. */
  tryTake(count = 1): boolean {
    this.#refill();
    if (this.#tokens < count) {
      return false;
    }
    this.#tokens -= count;
    return true;
  }

  /** Spends `count` tokens even if that leaves a debt: for bytes that have already been read. */
  take(count: number): void {
    this.#refill();
    this.#tokens -= count;
  }

  /** Milliseconds until `count` tokens are there; 0 when they are. */
  waitMs(count = 1): number {
    this.#refill();
    const missing = Math.min(count, this.#rate.count) - this.#tokens;
    return missing <= 0 ? 0 : Math.ceil((missing * this.#rate.perMs) / this.#rate.count);
  }

  /** True when nothing is missing: such a bucket need not be kept. */
  get full(): boolean {
    this.#refill();
    return this.#tokens >= this.#rate.count;
  }

  /** The most that can be spent at once without a debt. */
  get burst(): number {
    return this.#rate.count;
  }

  get available(): number {
    this.#refill();
    return this.#tokens;
  }

  #refill(): void {
    const now = this.#clock.now();
    const gained = ((now - this.#refilledAt) * this.#rate.count) / this.#rate.perMs;
    this.#tokens = Math.min(this.#rate.count, this.#tokens + gained);
    this.#refilledAt = now;
  }
}

/** Fewer are not worth looking through: some 100 KiB. */
const FEW_KEYS = 512;

/**
 * Buckets by key (a peer, a prefix), bounded: full buckets are forgotten, and when `maxKeys`
 * distinct keys have spent tokens the oldest is forgotten, so that an attacker with many keys costs bounded memory.
 */
export class TokenBuckets {
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #rate: Rate | undefined;
  readonly #clock: Clock;
  readonly #maxKeys: number;
  /** When there are so many keys, full buckets are looked for: no sooner than half of all are new, so that looking costs each key little. */
  #lookAt: number;

  constructor(rate: Rate | undefined, clock: Clock, maxKeys = 16_384) {
    this.#rate = rate;
    this.#clock = clock;
    this.#maxKeys = maxKeys;
    this.#lookAt = Math.min(maxKeys, FEW_KEYS);
  }

  /** Milliseconds to wait before `key` has a token; 0 when it has one now. Spends nothing. */
  waitMs(key: string): number {
    return this.#buckets.get(key)?.waitMs() ?? 0;
  }

  /** Spends one token of `key`; false when there is none. */
  tryTake(key: string): boolean {
    if (this.#rate === undefined) {
      return true;
    }
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      this.#makeRoom();
      bucket = new TokenBucket(this.#rate, this.#clock);
      this.#buckets.set(key, bucket);
    }
    return bucket.tryTake();
  }

  get size(): number {
    return this.#buckets.size;
  }

  #makeRoom(): void {
    if (this.#buckets.size < this.#lookAt) {
      return;
    }
    for (const [key, bucket] of this.#buckets) {
      if (bucket.full) {
        this.#buckets.delete(key);
      }
    }
    this.#lookAt = Math.min(this.#maxKeys, Math.max(FEW_KEYS, 2 * this.#buckets.size));
    const oldest = this.#buckets.keys().next();
    if (this.#buckets.size >= this.#maxKeys && !oldest.done) {
      this.#buckets.delete(oldest.value);
    }
  }
}
