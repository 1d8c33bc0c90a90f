import type { Clock } from '../lib/clock.ts';
import { TokenBucket, TokenBuckets } from '../lib/token-bucket.ts';

/** Who can write to the store, or has a link, can do so a thousand times a second: the log is not to grow with it. */
const EACH = { count: 1, perMs: 60_000 };

/** Names are made up at no cost. */
const ALL = { count: 20, perMs: 60_000 };

const MAX_NAMES = 1_024;

/** Complaints about one relay or authority, once a minute; and about all of them, twenty a minute. */
export class Warnings {
  readonly #each: TokenBuckets;
  readonly #all: TokenBucket;

  constructor(clock: Clock) {
    this.#each = new TokenBuckets(EACH, clock, MAX_NAMES);
    this.#all = new TokenBucket(ALL, clock);
  }

  /** Whether it is to be said now. */
  isDue(about: string): boolean {
    return this.#each.tryTake(about) && this.#all.tryTake();
  }
}
