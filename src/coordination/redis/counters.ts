import type { Counters, TakeVerdict } from '../backend.ts';
import type { HoldClaim, RateClaim } from '../../lib/cluster/relay-cluster.ts';
import type { Clock } from '../../lib/clock.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { chunks, pairs, texts } from './flat.ts';
import { closedBy } from './line.ts';
import { SCRIPTS } from './scripts.ts';
import type { RedisStore } from './store.ts';
import { Totals } from './totals.ts';

/** Keys whose places wait to be given back, or added, in one turn of the event loop. Beyond it they go at once. */
const MAX_WAITING_KEYS = 4_096;

/** A take that has been sent. */
interface Taking {
  readonly keys: readonly string[];
  /** Known when it has been answered. */
  took: boolean | undefined;
}

/** Counts in Redis, exact: a script looks at all holds of all live relays and takes, in one step. */
export class RedisCounters implements Counters {
  readonly name = 'redis counters';
  readonly #store: RedisStore;
  readonly #log: Logger;
  readonly #totals: Totals;
  readonly #taking = new Set<Taking>();
  #changes = new Map<string, number>();
  #isChangeDue = false;

  constructor(store: RedisStore, clock: Clock, log: Logger) {
    this.#store = store;
    this.#log = log;
    this.#totals = new Totals(clock);
  }

  async start(): Promise<void> {
    await this.#store.start(this);
  }

  async stop(): Promise<void> {
    this.#sendChanges();
    await this.#store.stop(this);
    this.#changes.clear();
    this.#totals.clear();
  }

  /** How many places of `key` all relays hold; `undefined` when this relay has not asked for one of late. */
  total(key: string): number | undefined {
    return this.#totals.of(key);
  }

  async take(holds: readonly HoldClaim[], rates: readonly RateClaim[], signal: AbortSignal): Promise<TakeVerdict> {
    if (signal.aborted) {
      throw new RelaydError('CLOSED', 'nothing was taken', { cause: signal.reason });
    }
    const taking: Taking = { keys: holds.map(({ key }) => key), took: undefined };
    const verdict = this.#ask(taking, holds, rates);
    try {
      return await closedBy(verdict, signal);
    } catch (error) {
      // Nobody waits for the answer: what it took goes back.
      verdict.then(({ ok }) => ok && this.give(taking.keys), () => {});
      throw error;
    }
  }

  give(keys: readonly string[]): void {
    this.#change(keys, -1);
  }

  add(keys: readonly string[]): void {
    this.#change(keys, 1);
  }

  #change(keys: readonly string[], by: number): void {
    for (const key of keys) {
      this.#changes.set(key, (this.#changes.get(key) ?? 0) + by);
    }
    if (this.#changes.size > MAX_WAITING_KEYS) {
      this.#sendChanges();
    } else if (!this.#isChangeDue) {
      this.#isChangeDue = true;
      setImmediate(() => this.#sendChanges());
    }
  }

  /**
   * Compares what is really held with what the store counts, and moves the store's counts by the difference. Commands are carried out in the order in which
   * they are sent, so the store's answer holds what was sent before the question, and a difference stays right whatever is taken and given after it.
   */
  async restate(held: ReadonlyMap<string, number>): Promise<void> {
    this.#sendChanges();
    const right = new Map(held);
    const before = [...this.#taking];
    const [stored] = await this.#store.run(SCRIPTS.mine);
    for (const { keys, took } of before) {
      // Taken before the question, and not yet held when `held` was told.
      if (took === true) keys.forEach((key) => right.set(key, (right.get(key) ?? 0) + 1));
    }
    for (const [key, count] of pairs(stored)) {
      right.set(String(key), (right.get(String(key)) ?? 0) - Number(count));
    }
    await this.#move([...right].filter(([, change]) => change !== 0), true);
  }

  async #ask(taking: Taking, holds: readonly HoldClaim[], rates: readonly RateClaim[]): Promise<TakeVerdict> {
    const claims = [...holds, ...rates];
    this.#taking.add(taking);
    // What was given back before this is free for it.
    this.#sendChanges();
    try {
      const [counts, ...refused] = await this.#store.run(
        SCRIPTS.take,
        String(holds.length),
        ...holds.flatMap(({ key, maximum }) => [key, String(Math.min(maximum, Number.MAX_SAFE_INTEGER))]),
        ...rates.flatMap(({ key, rate }) => [key, String(rate.count), String(rate.perMs)]),
      );
      taking.took = refused.length === 0;
      this.#heard(taking, counts);
      return taking.took ? { ok: true } : refusal(claims, refused);
    } finally {
      this.#taking.delete(taking);
    }
  }

  /** @param counts of each key, before the take */
  #heard({ keys, took }: Taking, counts: unknown): void {
    texts(counts).forEach((count, i) => this.#totals.heard(keys[i]!, Number(count)));
    if (took === true) keys.forEach((key) => this.#totals.moved(key, 1));
  }

  #sendChanges(): void {
    this.#isChangeDue = false;
    if (this.#changes.size === 0) {
      return;
    }
    const changes = [...this.#changes].filter(([, change]) => change !== 0);
    this.#changes = new Map();
    this.#move(changes, false).catch((error: unknown) => this.#log.debug({ error: errorMessage(error) }, 'places were not given back or added in Redis: restating sets it right'));
  }

  /** @param isAll nothing else is wrong then */
  async #move(changes: readonly (readonly [string, number])[], isAll: boolean): Promise<void> {
    const flat = changes.map(([key, change]) => [key, String(change)]);
    await Promise.all(chunks(flat).map((chunk) => this.#store.run(SCRIPTS.move, '0', ...chunk.flat())));
    changes.forEach(([key, change]) => this.#totals.moved(key, change));
    if (isAll) {
      await this.#store.run(SCRIPTS.move, '1');
    }
  }
}

function refusal(claims: readonly (HoldClaim | RateClaim)[], [index, current, retryAfterMs]: readonly unknown[]): TakeVerdict {
  const claim = claims[Number(index) - 1]!;
  return {
    ok: false,
    key: claim.key,
    current: Number(current),
    maximum: 'maximum' in claim ? claim.maximum : claim.rate.count,
    ...(Number(retryAfterMs) > 0 ? { retryAfterMs: Number(retryAfterMs) } : {}),
  };
}
