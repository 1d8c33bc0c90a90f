import type { Rate } from '../../lib/token-bucket.ts';
import { Pool } from './pool.ts';
import type { RateOp, RateResult } from './messages.ts';

/** Tokens that were fetched ahead go back after this time: they are for a burst that runs, not for the next one. */
const LEASE_MS = 1_000;

/** Tokens of one key. */
export class Lease extends Pool {
  rate: Rate;
  #tokens = 0;
  #expiresAt = -Infinity;

  constructor(key: string, owner: string, rate: Rate) {
    super(key, owner);
    this.rate = rate;
  }

  get free(): number {
    return this.#tokens;
  }

  protected takeOne(): void {
    this.#tokens--;
  }

  putBack(): void {
    this.#tokens++;
  }

  /** Over, with nothing to give back. */
  isEmpty(nowMs: number): boolean {
    return this.isQuiet && this.#tokens === 0 && nowMs >= this.#expiresAt;
  }

  /** What the lender is to be told now, and counts as told; `undefined` for nothing. */
  nextOp(nowMs: number, isOwn: boolean): RateOp | undefined {
    const give = this.waiting === 0 && (isOwn || nowMs >= this.#expiresAt) ? this.#tokens : 0;
    this.#tokens -= give;
    const { want, extra } = this.ask(nowMs, !isOwn);
    return want + give === 0 ? undefined : { key: this.key, count: this.rate.count, perMs: this.rate.perMs, want, extra, give };
  }

  take({ granted }: RateResult, nowMs: number): void {
    this.#tokens += granted;
    this.#expiresAt = nowMs + LEASE_MS;
  }
}
