/** What became of one who waited for a place or token. */
export type Served = { readonly ok: true } | { readonly ok: false; readonly current: number; readonly maximum: number; readonly retryAfterMs?: number };

type Waiter = (served: Served) => void;

/** A key of which more was needed twice within this time is in use: some are fetched beyond what is waited for. */
const BUSY_MS = 1_000;

/** The most that is fetched beyond that. */
const MAX_EXTRA = 64;

/** What this relay has of one key to give out without asking, and who waits for more. */
export abstract class Pool {
  readonly key: string;
  /** The relay that lends it. */
  owner: string;
  readonly #waiters = new Set<Waiter>();
  /** Asked for, and not answered yet. */
  #asked = 0;
  #extra = 0;
  #askedAt = -Infinity;

  constructor(key: string, owner: string) {
    this.key = key;
    this.owner = owner;
  }

  /** May be given out now. */
  abstract get free(): number;
  protected abstract takeOne(): void;

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Nothing is asked or waited for. */
  get isQuiet(): boolean {
    return this.#waiters.size === 0 && this.#asked === 0;
  }

  /** Takes one, if there is any. */
  tryTake(): boolean {
    if (this.free <= 0) {
      return false;
    }
    this.takeOne();
    return true;
  }

  /** Waits for one. The result ends that, for who has been served too. */
  wait(waiter: Waiter): () => void {
    this.#waiters.add(waiter);
    return () => this.#waiters.delete(waiter);
  }

  /** Those who wait get what is free, in their order. */
  serve(): void {
    for (const waiter of this.#waiters) {
      if (!this.tryTake()) return;
      this.#end(waiter, { ok: true });
    }
  }

  /** Everyone who waits is served by `decide`, which takes too. */
  serveBy(decide: () => Served): void {
    this.#waiters.forEach((waiter) => this.#end(waiter, decide()));
  }

  /** Those for whom nothing is asked any more have waited in vain. */
  refuse(served: Served): void {
    for (const waiter of this.#waiters) {
      if (this.#waiters.size <= this.#asked) return;
      this.#end(waiter, served);
    }
  }

  /** How much is to be asked for now, which counts as asked from here on. */
  protected ask(nowMs: number, mayHoard: boolean): { want: number; extra: number } {
    const want = Math.max(0, this.#waiters.size - this.#asked);
    if (want === 0) {
      return { want, extra: 0 };
    }
    const isBusy = nowMs - this.#askedAt < BUSY_MS;
    this.#extra = isBusy ? Math.min(MAX_EXTRA, Math.max(1, 2 * this.#extra)) : Math.floor(this.#extra / 2);
    this.#askedAt = nowMs;
    this.#asked += want;
    return { want, extra: mayHoard ? this.#extra : 0 };
  }

  /** What was asked for is answered, or lost. */
  answered(want: number): void {
    this.#asked -= want;
  }

  #end(waiter: Waiter, served: Served): void {
    this.#waiters.delete(waiter);
    waiter(served);
  }
}
