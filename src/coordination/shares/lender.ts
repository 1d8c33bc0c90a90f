import type { Clock } from '../../lib/clock.ts';
import type { Rate } from '../../lib/token-bucket.ts';
import type { Links } from '../links.ts';
import { Buckets } from './buckets.ts';
import { Ledger } from './ledger.ts';
import type { Answer, HoldOp, HoldResult, Holding, Level, OpStatus, Question, RateOp, RateResult } from './messages.ts';
import { Recalls } from './recalls.ts';
import { Reports } from './reports.ts';
import type { Views } from './views.ts';

/** Places beyond what is waited for: at most this part of what is free, so that the last ones stay with the lender. */
const EXTRA_PART = 1 / 8;

/** This relay's own places belong to no session. */
export const OWN_ROUND = 0;

type Ask = Extract<Question, { type: 'ask' }>;

interface Terms {
  /** Whoever asks has waited for the others already. */
  readonly isFinal: boolean;
  /** Of the borrower's session. */
  readonly round: number;
}

export interface LenderOptions {
  readonly self: string;
  readonly views: Views;
  readonly links: Links;
  readonly clock: Clock;
}

/** Lends places and tokens of the keys that this relay owns. */
export class Lender {
  readonly #o: LenderOptions;
  readonly #ledger = new Ledger();
  readonly #buckets: Buckets;
  readonly #recalls: Recalls;
  readonly #reports: Reports;

  constructor(options: LenderOptions) {
    this.#o = options;
    this.#buckets = new Buckets(options.clock);
    this.#recalls = new Recalls(options);
    this.#reports = new Reports({
      ...options,
      linked: () => options.links.members(),
      solicit: (relay) => this.#recalls.solicit(relay),
      onSettled: (relay, round) => this.#ledger.dropBefore(relay, round),
    });
  }

  start(): void {
    this.#reports.start();
    this.viewChanged();
  }

  stop(): void {
    this.#reports.stop();
    this.#ledger.clear();
    this.#buckets.clear();
    this.#recalls.clear();
  }

  total(key: string): number {
    return this.#ledger.total(key);
  }

  /** The levels of buckets that `owner` owns now. */
  levelsFor(owner: string): Level[] {
    const { owners } = this.#o.views;
    return this.#buckets.levels((key) => owners.of(key) === owner);
  }

  /** Frees what relays that are gone were lent, and waits for the reports of the others. */
  viewChanged(): void {
    const { sessions } = this.#reports;
    for (const borrower of sessions.borrowers()) {
      if (this.#o.views.owners.has(borrower)) continue;
      this.#ledger.drop(borrower);
      sessions.drop(borrower);
    }
    this.#reports.viewChanged();
  }

  linksChanged(): void {
    this.#reports.linksChanged();
  }

  /** What this relay itself holds of its own keys. */
  holdsItself(holdings: readonly Holding[]): void {
    this.#ledger.drop(this.#o.self);
    holdings.forEach(({ key, count }) => this.#ledger.set(this.#o.self, key, count, OWN_ROUND));
  }

  /** From another relay. */
  answer(borrower: string, question: Exclude<Question, { type: 'recall' }>): Answer | Promise<Answer> {
    if (!this.#o.views.owners.has(borrower)) {
      this.#reports.turnAway(borrower);
      return status('stranger');
    }
    const round = this.#reports.sessions.take(borrower, question.stamp, question.type === 'report');
    if (round === undefined) {
      return status('resync');
    }
    if (question.type === 'report') {
      return this.#takeReport(borrower, question, round);
    }
    this.settleUp(borrower, question, round);
    return question.wait ? this.#lendLater(borrower, question) : this.lend(borrower, question, { isFinal: false, round });
  }

  /** Takes back what is given, and takes note of what is held anyway: whatever becomes of the rest. */
  settleUp(borrower: string, { holds, rates }: Pick<Ask, 'holds' | 'rates'>, round: number): void {
    holds.forEach(({ key, give, claim }) => this.#ledger.add(borrower, key, claim - give, round));
    rates.forEach((op) => this.#buckets.giveBack(op.key, this.#usable(op, 0), op.give));
  }

  lend(borrower: string, { holds, rates }: Pick<Ask, 'holds' | 'rates'>, terms: Terms): Answer {
    return { status: 'ok', holds: holds.map((op) => this.#lendPlaces(borrower, op, terms)), rates: rates.map((op) => this.#lendTokens(op, terms)) };
  }

  /** Until the reports that `keys` wait for have come and what was asked back of them is here; at most some hundred milliseconds. */
  async settled(keys: readonly string[]): Promise<void> {
    await this.#reports.settled(keys);
    await Promise.all(keys.flatMap((key) => this.#recalls.running(key) ?? []));
  }

  async #lendLater(borrower: string, ask: Ask): Promise<Answer> {
    await this.settled([...ask.holds, ...ask.rates].map(({ key }) => key));
    const { sessions } = this.#reports;
    // It has reported anew meanwhile, and does not count with this answer.
    if (!sessions.isCurrent(borrower, ask.stamp)) return status('resync');
    return this.lend(borrower, ask, { isFinal: true, round: sessions.round(borrower) });
  }

  #takeReport(borrower: string, { stamp, holdings, levels, last }: Extract<Question, { type: 'report' }>, round: number): Answer {
    holdings.forEach(({ key, count }) => this.#ledger.set(borrower, key, count, round));
    levels.forEach((level) => this.#buckets.learn(level));
    if (last) this.#reports.whole(borrower, stamp);
    return status('ok');
  }

  #lendPlaces(borrower: string, op: HoldOp, terms: Terms): HoldResult {
    const { key, want, extra } = op;
    const unsure = want === 0 ? [] : this.#reports.unsure(key);
    const maximum = this.#o.views.usable(op.maximum, unsure.length);
    const result = (state: OpStatus, granted: number): HoldResult => ({ status: state, granted, current: this.#ledger.total(key), maximum, contended: this.#recalls.isContended(key) });
    const problem = want === 0 ? 'ok' : this.#problem(key, terms);
    if (problem !== undefined) return result(problem, 0);
    if (!this.#ledger.hasRoom(borrower, key)) return result('busy', 0);
    // Its part of the limit is for those that it counts with; who is not of them has a part of its own.
    if (maximum < op.maximum && unsure.includes(borrower)) return result('elsewhere', 0);
    const free = this.#free(op, maximum, unsure);
    const granted = free < want ? free : want + (this.#recalls.isContended(key) ? 0 : extraOf(extra, free - want));
    this.#ledger.add(borrower, key, granted, terms.round);
    if (granted >= want) return result('ok', granted);
    return result(!terms.isFinal && this.#recall(borrower, key) ? 'later' : 'full', granted);
  }

  #lendTokens(op: RateOp, terms: Terms): RateResult {
    const { key, want, extra } = op;
    const problem = want === 0 ? 'ok' : this.#problem(key, terms);
    if (problem !== undefined) return { status: problem, granted: 0, retryAfterMs: 0 };
    const silent = this.#reports.unsure(key).length;
    const rate = this.#usable(op, silent);
    // What the silent ones may have spent of it, once.
    if (silent > 0 && !this.#buckets.has(key)) this.#buckets.spend(key, rate, silent * this.#o.views.leftToOne(op.count));
    const available = this.#buckets.available(key, rate);
    const granted = available < want ? available : want + extraOf(extra, available - want);
    this.#buckets.spend(key, rate, granted);
    return granted < want ? { status: 'full', granted, retryAfterMs: this.#buckets.waitMs(key, rate) } : { status: 'ok', granted, retryAfterMs: 0 };
  }

  /** Why nothing of `key` can be lent now. */
  #problem(key: string, { isFinal }: Terms): 'elsewhere' | 'later' | undefined {
    if (this.#o.views.owners.of(key) !== this.#o.self) return 'elsewhere';
    return !isFinal && this.#reports.isAwaited(key) ? 'later' : undefined;
  }

  /** A part of the limit is for those that this relay counts with. Of the whole, each of the others keeps what it has been lent, or what it may take by itself. */
  #free({ key, maximum }: HoldOp, usable: number, silent: readonly string[]): number {
    const lent = (relay: string): number => this.#ledger.of(relay, key);
    const counted = this.#ledger.total(key) - silent.reduce((sum, relay) => sum + lent(relay), 0);
    const part = this.#o.views.leftToOne(maximum);
    const left = usable < maximum ? 0 : silent.reduce((sum, relay) => sum + Math.max(part, lent(relay)), 0);
    return Math.max(0, usable - counted - left);
  }

  /** Asks others for what they do not use; whether there is anybody to ask, or to wait for. */
  #recall(borrower: string, key: string): boolean {
    if (this.#recalls.running(key) !== undefined) return true;
    if (this.#recalls.isContended(key)) return false;
    const others = this.#ledger.holders(key).filter((relay) => relay !== borrower && relay !== this.#o.self);
    this.#recalls.begin(key, others);
    return others.length > 0;
  }

  #usable({ count, perMs }: RateOp, silent: number): Rate {
    return { count: this.#o.views.usable(count, silent), perMs };
  }
}

function extraOf(wanted: number, free: number): number {
  return Math.min(wanted, Math.floor(free * EXTRA_PART));
}

function status(state: Answer['status']): Answer {
  return { status: state, holds: [], rates: [] };
}
