import type { Clock, TimerHandle } from '../../lib/clock.ts';
import type { Links } from '../links.ts';
import { Alone } from './alone.ts';
import type { Batch, Channel } from './channel.ts';
import { Channels } from './channels.ts';
import { Lease } from './lease.ts';
import { OWN_ROUND } from './lender.ts';
import type { Lender } from './lender.ts';
import { MAX_ITEMS } from './messages.ts';
import type { Answer, HoldOp, HoldResult, Holding, OpStatus, RateOp, RateResult } from './messages.ts';
import type { ShareMetrics } from './metrics.ts';
import type { Served } from './pool.ts';
import type { Pools } from './pools.ts';
import { Share } from './share.ts';
import { Trays } from './trays.ts';
import type { Tray } from './trays.ts';
import type { Views } from './views.ts';

/** How long a request waits for the views of two relays to agree on who owns a key. */
const DISAGREED_MS = 100;

/** What nobody uses is looked for so often. */
const SWEEP_EVERY_MS = 500;

export interface DeskOptions {
  readonly self: string;
  readonly views: Views;
  readonly pools: Pools;
  readonly lender: Lender;
  readonly links: Links;
  readonly clock: Clock;
  readonly metrics: ShareMetrics;
}

type Pool = Share | Lease;

/** Fetches what is missing from the lenders and brings back what is not used, many keys in a message. */
export class Desk {
  readonly #o: DeskOptions;
  readonly #channels: Channels;
  readonly #trays = new Trays((owner, tray, isUrgent) => this.#flush(owner, tray, isUrgent));
  readonly #alone: Alone;
  /** Pools that somebody waits for, whose lender does not see itself as that, or does not see this relay. */
  readonly #disagreed = new Set<Pool>();
  readonly #spare = new Set<Pool>();
  #sweep: TimerHandle | undefined;
  #isRunning = false;

  constructor(options: DeskOptions) {
    this.#o = options;
    this.#alone = new Alone(options.views, options.clock);
    this.#channels = new Channels({
      ...options,
      view: () => options.views.owners.digest,
      report: (lender) => ({ holdings: this.#holdingsOf(lender), levels: options.lender.levelsFor(lender) }),
      onAnswer: (batch, answer) => this.#answered(batch, answer),
      onLost: (batch) => this.#lost(batch),
      onReady: (lender) => this.#trays.ready(lender),
    });
  }

  start(): void {
    this.#isRunning = true;
    this.viewChanged();
  }

  stop(): void {
    this.#isRunning = false;
    this.#channels.set([]);
    this.#trays.clear();
    this.#disagreed.clear();
    this.#spare.clear();
    this.#alone.clear();
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  /** There is something to be asked or told about `pool`. */
  mark(pool: Pool): void {
    this.#trays.add(pool);
  }

  /** Something of `pool` is free again, or more of it is held than was lent. */
  returned(pool: Pool): void {
    const isPressing = pool instanceof Share && (pool.free < 0 || pool.isContended(this.#o.clock.now()));
    if (isPressing || pool.owner === this.#o.self) this.mark(pool);
    this.#tidy(pool);
  }

  /** Every key has the owner that the new view says, and every relay is told what is held of its keys. */
  viewChanged(): void {
    const { views, pools, lender, self } = this.#o;
    this.#channels.endAll();
    this.#trays.clear();
    this.#disagreed.clear();
    for (const pool of [...pools.shares(), ...pools.leases()]) {
      pool.owner = views.owners.of(pool.key) ?? self;
      if (pool.waiting > 0) this.mark(pool);
    }
    lender.holdsItself(this.#holdingsOf(self));
    this.#channels.set(views.owners.relays.filter((relay) => relay !== self));
  }

  /** A link has come or gone. */
  linkChanged(relay: string): void {
    this.#channels.restart(relay);
    this.#trays.ready(relay);
  }

  /** `lender` wants back what is not used of `keys`; it has been told when this returns. */
  recalled(lender: string, keys: readonly string[]): void {
    for (const key of keys) {
      const share = this.#o.pools.share(key);
      if (share?.owner !== lender) continue;
      share.contend(this.#o.clock.now());
      this.mark(share);
    }
    this.#trays.flush(lender, true);
  }

  /** `lender` sees this relay now and wants to know what it holds. */
  solicited(lender: string): void {
    this.#channels.restart(lender);
    for (const pool of this.#disagreed) {
      if (pool.owner !== lender) continue;
      this.#disagreed.delete(pool);
      this.mark(pool);
    }
  }

  #holdingsOf(lender: string): Holding[] {
    return [...this.#o.pools.shares()].flatMap((share) => (share.owner === lender && share.report() > 0 ? [{ key: share.key, count: share.granted }] : []));
  }

  // Saying it.

  #flush(owner: string, tray: Tray, isUrgent: boolean): void {
    if (!this.#isRunning) return;
    if (owner === this.#o.self) {
      this.#lendItself(tray);
      return;
    }
    const channel = this.#channels.get(owner);
    for (const pools of [tray.due, tray.patient]) {
      if (channel?.state === 'ready') this.#send(channel, pools, { wait: pools === tray.patient, isUrgent });
      else this.#withoutLender(channel?.state, pools);
    }
  }

  #send(channel: Channel, pools: Set<Pool>, { wait, isUrgent }: { wait: boolean; isUrgent: boolean }): void {
    const hasRoom = (): boolean => isUrgent || channel.hasRoom(wait);
    while (pools.size > 0 && hasRoom()) {
      const batch = this.#batch(pools, wait);
      if (batch.holds.length + batch.rates.length > 0) channel.send(batch);
    }
  }

  /** Takes what there is to say out of `pools`, as much as goes into a message. */
  #batch(pools: Set<Pool>, wait: boolean): Batch {
    const batch = { shares: [] as Share[], holds: [] as HoldOp[], leases: [] as Lease[], rates: [] as RateOp[], wait };
    const now = this.#o.clock.now();
    for (const pool of pools) {
      if (batch.holds.length + batch.rates.length >= MAX_ITEMS) break;
      pools.delete(pool);
      const isOwn = pool.owner === this.#o.self;
      if (pool instanceof Share) add(batch.shares, batch.holds, pool, pool.nextOp(now, isOwn));
      else add(batch.leases, batch.rates, pool, pool.nextOp(now, isOwn));
      this.#o.pools.forget(pool, now);
    }
    return batch;
  }

  /** Of this relay's own keys: at once, unless others are to be asked. */
  #lendItself({ due, patient }: Tray): void {
    const { lender, self } = this.#o;
    while (due.size > 0) {
      const batch = this.#batch(due, false);
      lender.settleUp(self, batch, OWN_ROUND);
      this.#answered(batch, lender.lend(self, batch, { isFinal: false, round: OWN_ROUND }));
    }
    while (patient.size > 0) void this.#lendItselfLater(this.#batch(patient, true));
  }

  async #lendItselfLater(batch: Batch): Promise<void> {
    const { lender, self, views } = this.#o;
    const { number } = views;
    lender.settleUp(self, batch, OWN_ROUND);
    await lender.settled([...batch.holds, ...batch.rates].map(({ key }) => key));
    if (views.number === number && this.#isRunning) this.#answered(batch, lender.lend(self, batch, { isFinal: true, round: OWN_ROUND }));
    else this.#lost(batch);
  }

  // Hearing of it.

  #answered(batch: Batch, { holds, rates }: Answer): void {
    const now = this.#o.clock.now();
    batch.shares.forEach((share, i) => {
      const result = holds[i] ?? NO_PLACES;
      share.take(result, now);
      this.#got(share, batch.holds[i]?.want ?? 0, { status: result.status, hasWaited: batch.wait }, { ok: false, current: result.current, maximum: result.maximum });
    });
    batch.leases.forEach((lease, i) => {
      const result = rates[i] ?? NO_TOKENS;
      const { count } = lease.rate;
      lease.take(result, now);
      this.#got(lease, batch.rates[i]?.want ?? 0, { status: result.status, hasWaited: batch.wait }, { ok: false, current: count, maximum: count, retryAfterMs: result.retryAfterMs });
    });
  }

  #got(pool: Pool, want: number, { status, hasWaited }: { status: OpStatus; hasWaited: boolean }, refusal: Served): void {
    const { waiting } = pool;
    pool.answered(want);
    pool.serve();
    this.#o.metrics.decided('owner', waiting - pool.waiting);
    if (want === 0 || status === 'ok') {
      // Nothing is left to be done for anybody.
    } else if (status === 'elsewhere') {
      this.#disagree(pool);
    } else if (status === 'busy') {
      this.#decideAlone(pool);
    } else if (status === 'later' && !hasWaited) {
      this.#trays.add(pool, 'patient');
    } else {
      pool.refuse(refusal);
    }
    this.#tidy(pool);
  }

  /** Whoever still waits is asked for again. */
  #lost({ shares, holds, leases, rates }: Batch): void {
    const ops = [...holds, ...rates];
    [...shares, ...leases].forEach((pool, i) => {
      pool.answered(ops[i]?.want ?? 0);
      if (pool.waiting > 0 && this.#isRunning) this.mark(pool);
      this.#tidy(pool);
    });
  }

  #tidy(pool: Pool): void {
    if (pool.free > 0 && pool.waiting === 0) {
      this.#spare.add(pool);
      this.#sweep ??= this.#o.clock.setTimer(() => this.#sweepSpare(), SWEEP_EVERY_MS);
    } else {
      this.#o.pools.forget(pool, this.#o.clock.now());
    }
  }

  #sweepSpare(): void {
    this.#sweep = undefined;
    for (const pool of this.#spare) {
      if (pool.free <= 0) this.#spare.delete(pool);
      this.mark(pool);
    }
    if (this.#spare.size > 0) this.#sweep = this.#o.clock.setTimer(() => this.#sweepSpare(), SWEEP_EVERY_MS);
  }

  // Without the lender.

  #withoutLender(state: Channel['state'] | undefined, pools: Set<Pool>): void {
    for (const pool of pools) {
      pools.delete(pool);
      if (state !== 'stranger') this.#decideAlone(pool);
      else if (pool.waiting > 0) this.#disagree(pool);
    }
  }

  /** The views will agree soon, or this relay decides alone. */
  #disagree(pool: Pool): void {
    if (this.#disagreed.has(pool)) return;
    this.#disagreed.add(pool);
    this.#o.clock.setTimer(() => {
      if (this.#disagreed.delete(pool)) this.#decideAlone(pool);
    }, DISAGREED_MS);
  }

  #decideAlone(pool: Pool): void {
    const { waiting } = pool;
    this.#alone.decide(pool);
    this.#o.metrics.decided('alone', waiting);
    // More may be held now than was lent.
    if (pool.free < 0 && this.#channels.get(pool.owner)?.state === 'ready') this.mark(pool);
    this.#tidy(pool);
  }
}

function add<P, O>(pools: P[], ops: O[], pool: P, op: O | undefined): void {
  if (op === undefined) return;
  pools.push(pool);
  ops.push(op);
}

/** The lender's answer was too short. */
const NO_PLACES: HoldResult = { status: 'busy', granted: 0, current: 0, maximum: 0, contended: false };
const NO_TOKENS: RateResult = { status: 'busy', granted: 0, retryAfterMs: 0 };
