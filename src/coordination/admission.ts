import type { ClusterClaims, ClusterRefusal, ClusterVerdict, QuotaClaim } from '../lib/cluster/relay-cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { abortable } from '../lib/deadline.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Counters, TakeVerdict } from './backend.ts';
import { usableLimit } from './bound.ts';
import { LocalRates } from './local-rates.ts';
import { Patience } from './patience.ts';
import { Places } from './places.ts';
import type { PlaceRow } from './places.ts';

/** Who decided: the store, this relay from a share that it has or asked for, or this relay alone because nobody answered. */
export const DECIDERS = ['store', 'share', 'local'] as const;
export type Decider = (typeof DECIDERS)[number];

export interface AdmissionOptions {
  readonly counters: Counters;
  readonly decider: Exclude<Decider, 'local'>;
  readonly quotas: QuotaWatch;
  /** Relays that may be at work, this one included. */
  readonly knownCount: () => number;
  /** The longest round trip, where one is known from elsewhere. */
  readonly rttMs: () => number | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onDecided: (by: Decider, admitted: boolean, tookMs: number) => void;
}

export interface QuotaWatch {
  /** Why a claim may not use its quota, by what is known here. */
  refusal(claims: readonly QuotaClaim[]): ClusterRefusal | undefined;
  /** Asks for what is not known here, or not of late. Never throws: what was known last decides then. */
  look(claims: readonly QuotaClaim[], signal: AbortSignal): Promise<void>;
}

/**
 * Admission over the cluster: by the store as long as it answers; else at once, by this relay's own counts and its part of each limit, until the
 * store is back and has been told what is held here.
 */
export class Admission {
  readonly #o: AdmissionOptions;
  readonly #places: Places;
  readonly #rates: LocalRates;
  readonly #patience: Patience;
  /** `away`: nobody is asked; `telling`: it is being told what is held here, then it is `there`. */
  #store: 'there' | 'away' | 'telling' = 'away';
  /** While it lasts the store is asked for nothing; what is admitted here meanwhile is told when it ends. */
  #pause: Promise<void> | undefined;
  /** Telling takes longer than anybody is to wait: nobody else waits for the end of it. */
  #isTellingLong = false;
  /** Questions under way. */
  readonly #asking = new Set<Promise<unknown>>();

  constructor(options: AdmissionOptions) {
    this.#o = options;
    this.#places = new Places((keys) => this.#give(keys));
    this.#rates = new LocalRates(options.clock);
    this.#patience = new Patience(options.clock);
  }

  get isLocal(): boolean {
    return this.#store === 'away';
  }

  /** What this relay holds. */
  places(): PlaceRow[] {
    return this.#places.rows();
  }

  /** Nobody is asked until {@link restate} has gone through. */
  storeAway(): void {
    this.#store = 'away';
  }

  /**
   * Tells the store what is held here, and asks it again from then on.
   *
   * @throws RelaydError STORE_UNAVAILABLE: it counts as away then
   */
  async restate(): Promise<void> {
    while (this.#pause !== undefined) await this.#pause;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = promise;
    try {
      await this.#restate();
    } finally {
      this.#pause = undefined;
      this.#isTellingLong = false;
      resolve();
    }
  }

  /** @throws RelaydError CLOSED when `signal` aborts; nothing is taken then */
  async admit(claims: ClusterClaims, signal: AbortSignal): Promise<ClusterVerdict> {
    const usedUp = this.#o.quotas.refusal(claims.quotas);
    if (usedUp !== undefined) return { ok: false, ...usedUp };
    const startedAt = this.#o.clock.now();
    const wait = this.#patience.wait(this.#patience.limitMs(this.#o.rttMs()), signal);
    try {
      const [{ by, verdict }] = await Promise.all([this.#decide(claims, wait.signal, signal), this.#o.quotas.look(claims.quotas, wait.signal)]);
      const final = this.#withQuotas(verdict, claims.quotas);
      this.#o.onDecided(by, final.ok, this.#o.clock.now() - startedAt);
      return final;
    } finally {
      wait.clear();
    }
  }

  /** A quota of which nothing was known here may turn out to be used up. */
  #withQuotas(verdict: ClusterVerdict, quotas: readonly QuotaClaim[]): ClusterVerdict {
    const usedUp = verdict.ok ? this.#o.quotas.refusal(quotas) : undefined;
    if (!verdict.ok || usedUp === undefined) return verdict;
    verdict.permit.release();
    return { ok: false, ...usedUp };
  }

  async #decide(claims: ClusterClaims, limit: AbortSignal, signal: AbortSignal): Promise<{ by: Decider; verdict: ClusterVerdict }> {
    if (signal.aborted) throw closed(signal);
    if (this.#store === 'away' || this.#isTellingLong) return { by: 'local', verdict: this.#decideLocally(claims) };
    try {
      return { by: this.#o.decider, verdict: await this.#askStore(claims, limit) };
    } catch (error) {
      if (signal.aborted) throw closed(signal);
      this.#missed(error);
      return { by: 'local', verdict: this.#decideLocally(claims) };
    }
  }

  async #askStore({ holds, rates }: ClusterClaims, limit: AbortSignal): Promise<ClusterVerdict> {
    if (holds.length + rates.length === 0) return { ok: true, permit: this.#places.take([], true) };
    while (this.#pause !== undefined) await this.#told(this.#pause, limit);
    if (this.#store !== 'there') throw new RelaydError('STORE_UNAVAILABLE', 'the store went away while this waited');
    const askedAt = this.#o.clock.now();
    const verdict = await this.#take({ holds, rates }, limit);
    this.#patience.took(this.#o.clock.now() - askedAt);
    if (verdict.ok) return { ok: true, permit: this.#places.take(holds, true) };
    const { key, current, maximum, retryAfterMs } = verdict;
    const { limit: name } = [...holds, ...rates].find((claim) => claim.key === key) ?? refusedUnasked(key);
    return { ok: false, limit: name, current, maximum, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }

  /** @throws RelaydError STORE_UNAVAILABLE when it takes too long: what becomes of the telling says then whether the store is there */
  async #told(pause: Promise<void>, limit: AbortSignal): Promise<void> {
    try {
      await abortable(pause, limit);
    } catch (error) {
      const isTooLong = error instanceof RelaydError && error.code === 'STORE_UNAVAILABLE';
      this.#isTellingLong ||= isTooLong && this.#pause !== undefined;
      throw error;
    }
  }

  /** What is answered after the wait is over was taken for nobody, and is given back. */
  async #take({ holds, rates }: Pick<ClusterClaims, 'holds' | 'rates'>, limit: AbortSignal): Promise<TakeVerdict> {
    let gaveUp = false;
    const asked = this.#o.counters.take(holds, rates, limit).then((verdict) => {
      if (gaveUp && verdict.ok) this.#give(holds.map(({ key }) => key));
      return verdict;
    });
    const settled = asked.catch(() => {}).finally(() => this.#asking.delete(settled));
    this.#asking.add(settled);
    try {
      return await abortable(asked, limit);
    } catch (error) {
      gaveUp = true;
      this.#asking.delete(settled);
      throw error;
    }
  }

  #missed(error: unknown): void {
    if (this.#store !== 'there' || this.#isTellingLong) return;
    this.#store = 'away';
    this.#o.log.warn({ error: errorMessage(error) }, 'limits over the cluster are decided here until the store answers again');
  }

  #decideLocally({ holds, rates }: ClusterClaims): ClusterVerdict {
    const known = this.#o.knownCount();
    const part = (whole: number): number => usableLimit(whole, 1, known);
    const full = holds.find((hold) => this.#places.of(hold.key) >= part(hold.maximum));
    if (full !== undefined) return { ok: false, limit: full.limit, current: this.#places.of(full.key), maximum: part(full.maximum) };
    for (const claim of rates) {
      const retryAfterMs = this.#rates.waitMs(claim, part(claim.rate.count));
      if (retryAfterMs > 0) return { ok: false, limit: claim.limit, current: part(claim.rate.count), maximum: part(claim.rate.count), retryAfterMs };
    }
    rates.forEach((claim) => this.#rates.spend(claim, part(claim.rate.count)));
    return { ok: true, permit: this.#places.take(holds, false) };
  }

  async #restate(): Promise<void> {
    await Promise.all(this.#asking);
    const wasAway = this.#store === 'away';
    if (wasAway) this.#store = 'telling';
    try {
      await this.#o.counters.restate(this.#places.restated());
    } catch (error) {
      this.#store = 'away';
      throw error;
    }
    // Unless it went away again meanwhile: it is told all then.
    if (this.isLocal) return;
    // In one step with the end of the telling, so that nothing is admitted here between the two.
    this.#isTellingLong = false;
    this.#addUntold();
    if (this.#store !== 'telling') return;
    this.#store = 'there';
    this.#rates.clear();
  }

  /** What was admitted here while the store was told of the rest. */
  #addUntold(): void {
    const keys = this.#places.untold();
    if (keys.length > 0) this.#o.counters.add(keys);
  }

  /** While the store is away nothing is given back to it: it is told what is left when it is back. */
  #give(keys: readonly string[]): void {
    if (this.#store !== 'away' && keys.length > 0) this.#o.counters.give(keys);
  }
}

function closed(signal: AbortSignal): RelaydError {
  return new RelaydError('CLOSED', 'whoever asked has gone', { cause: signal.reason });
}

function refusedUnasked(key: string): never {
  throw new RelaydError('INTERNAL', `the store refused ${key}, which it was not asked for`);
}
