/** What happened this long ago counts half: a bad hour is forgotten after some hours. */
const HALF_LIFE_MS = 3_600_000;

/** The most that all good, or all bad, can count together: a night of failed attempts must not take days to forget. */
const MOST = 8;

/** The good ones that a relay begins with: a single failure says little. */
const TRUST = 2;

/** Whether a relay was there when it was asked, lately more than long ago. */
export class Availability {
  #good = 0;
  #bad = 0;
  #at = 0;

  /** 1 for a relay that was always there, 0 for one that never was. */
  at(nowMs: number): number {
    const faded = this.#fade(nowMs);
    return (TRUST + this.#good * faded) / (TRUST + (this.#good + this.#bad) * faded);
  }

  served(nowMs: number): void {
    this.#settle(nowMs);
    this.#good = Math.min(MOST, this.#good + 1);
  }

  failed(nowMs: number): void {
    this.#settle(nowMs);
    this.#bad = Math.min(MOST, this.#bad + 1);
  }

  #settle(nowMs: number): void {
    const faded = this.#fade(nowMs);
    this.#good *= faded;
    this.#bad *= faded;
    this.#at = nowMs;
  }

  #fade(nowMs: number): number {
    return 2 ** (-Math.max(0, nowMs - this.#at) / HALF_LIFE_MS);
  }
}
