import { Refused } from '../refusal.ts';

/** RESERVEs of one peer that wait for the one before them. A client sends one at a time. */
const MAX_WAITING = 4;

/** Each takes a round trip to the store at the most. */
const RETRY_MS = 1_000;

/**
 * RESERVEs of one peer are done one after the other, in the order in which they came: while one waits for the cluster, the next would take places that the
 * first has already.
 */
export class Turns {
  /** Who waits, for each peer that has its turn now. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** @throws Refused `rates.reservePerPeer` when too many wait already; what `work` throws */
  async take<T>(peer: string, work: () => Promise<T>): Promise<T> {
    const waiting = this.#waiting.get(peer);
    if (waiting === undefined) {
      this.#waiting.set(peer, []);
    } else if (waiting.length < MAX_WAITING) {
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      throw new Refused('rates.reservePerPeer', { current: waiting.length, maximum: MAX_WAITING, retryAfterMs: RETRY_MS });
    }
    try {
      return await work();
    } finally {
      this.#next(peer);
    }
  }

  #next(peer: string): void {
    const next = this.#waiting.get(peer)?.shift();
    if (next === undefined) this.#waiting.delete(peer);
    else next();
  }
}
