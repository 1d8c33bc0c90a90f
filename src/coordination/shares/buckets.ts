import type { Clock } from '../../lib/clock.ts';
import type { Rate } from '../../lib/token-bucket.ts';
import type { Level } from './messages.ts';

interface Bucket {
  /** Tokens that are not there, at `at`; they come back at `rate`. */
  missing: number;
  at: number;
  rate: Rate;
}

/** Who spends under more keys than this in one refill has the oldest forgotten. */
const MAX_BUCKETS = 1 << 17;

/** Fewer are not worth looking through. */
const FEW_BUCKETS = 512;

const THOUSANDTHS = 1_000;

/** Token buckets at their lender, by what is missing in each: a full one is not kept. */
export class Buckets {
  readonly #buckets = new Map<string, Bucket>();
  readonly #clock: Clock;
  #lookAt = FEW_BUCKETS;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whole tokens that are there. */
  available(key: string, rate: Rate): number {
    return Math.max(0, Math.floor(rate.count - this.#missing(key, rate)));
  }

  has(key: string): boolean {
    return this.#buckets.has(key);
  }

  spend(key: string, rate: Rate, tokens: number): void {
    if (tokens > 0) this.#set(key, rate, this.#missing(key, rate) + tokens);
  }

  giveBack(key: string, rate: Rate, tokens: number): void {
    if (this.#buckets.has(key)) this.#set(key, rate, Math.max(0, this.#missing(key, rate) - tokens));
  }

  /** Milliseconds until a token is there. */
  waitMs(key: string, rate: Rate): number {
    const missing = this.#missing(key, rate) + 1 - rate.count;
    return rate.count === 0 ? rate.perMs : Math.max(0, Math.ceil((missing * rate.perMs) / rate.count));
  }

  /** What a former owner says; what was spent here counts too. A rate of nothing would never come back. */
  learn({ key, missing, count, perMs }: Level): void {
    const rate = { count, perMs };
    const tokens = Math.min(missing / THOUSANDTHS, count);
    if (count > 0 && perMs > 0 && this.#missing(key, rate) < tokens) this.#set(key, rate, tokens);
  }

  /** The levels of keys that `isWanted`. */
  levels(isWanted: (key: string) => boolean): Level[] {
    return [...this.#buckets].flatMap(([key, { rate }]) => (isWanted(key) ? [{ key, missing: Math.ceil(this.#missing(key, rate) * THOUSANDTHS), ...rate }] : []));
  }

  clear(): void {
    this.#buckets.clear();
  }

  #missing(key: string, rate: Rate): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      return 0;
    }
    return Math.max(0, bucket.missing - ((this.#clock.now() - bucket.at) * rate.count) / rate.perMs);
  }

  #set(key: string, rate: Rate, missing: number): void {
    if (missing > 0) this.#put(key, { missing, at: this.#clock.now(), rate });
    else this.#buckets.delete(key);
  }

  #put(key: string, bucket: Bucket): void {
    if (!this.#buckets.has(key)) this.#makeRoom();
    this.#buckets.set(key, bucket);
  }

  #makeRoom(): void {
    if (this.#buckets.size < this.#lookAt) {
      return;
    }
    for (const [key, { rate }] of this.#buckets) {
      if (this.#missing(key, rate) === 0) this.#buckets.delete(key);
    }
    this.#lookAt = Math.min(MAX_BUCKETS, Math.max(FEW_BUCKETS, 2 * this.#buckets.size));
    const oldest = this.#buckets.keys().next();
    if (this.#buckets.size >= MAX_BUCKETS && !oldest.done) this.#buckets.delete(oldest.value);
  }
}
