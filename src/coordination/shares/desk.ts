import type { Clock } from '../../lib/clock.ts';
import type { Links } from '../links.ts';
import { sizeOf, takeBatch } from './batch.ts';
import type { Batch } from './batch.ts';
import type { Channel } from './channel.ts';
import { Channels } from './channels.ts';
import type { Lease } from './lease.ts';
import { OWN_ROUND } from './lender.ts';
import type { Lender } from './lender.ts';
import type { Holding } from './messages.ts';
import type { ShareMetrics } from './metrics.ts';
import { Outcomes } from './outcomes.ts';
import type { Pools } from './pools.ts';
import { Share } from './share.ts';
import { Spares } from './spares.ts';
import { Trays } from './trays.ts';
import type { Tray } from './trays.ts';
import type { Views } from './views.ts';

export interface DeskOptions {
  readonly self: string;
  readonly views: Views;
  readonly pools: Pools;
  readonly lender: Lender;
  readonly links: Links;
  readonly clock: Clock;
  readonly metrics: ShareMetrics;
}

/** Fetches what is missing from the lenders and brings back what is not used, many keys in a message. */
export class Desk {
  readonly #o: DeskOptions;
  readonly #channels: Channels;
  readonly #trays = new Trays((owner, tray, isUrgent) => this.#flush(owner, tray, isUrgent));
  readonly #spares: Spares;
  readonly #outcomes: Outcomes;
  #isRunning = false;

  constructor(options: DeskOptions) {
    this.#o = options;
    this.#spares = new Spares({ ...options, onSpare: (pool) => this.mark(pool) });
    this.#outcomes = new Outcomes({
      ...options,
      spares: this.#spares,
      ask: (pool, kind) => this.#isRunning && this.#trays.add(pool, kind),
      canAsk: (lender) => this.#channels.get(lender)?.state === 'ready',
    });
    this.#channels = new Channels({
      ...options,
      view: () => options.views.owners.digest,
      report: (lender) => ({ holdings: this.#holdingsOf(lender), levels: options.lender.levelsFor(lender) }),
      onAnswer: (batch, answer) => this.#outcomes.answered(batch, answer),
      onLost: (batch) => this.#outcomes.lost(batch),
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
    this.#outcomes.stop();
    this.#spares.clear();
  }

  /** There is something to be asked or told about `pool`. */
  mark(pool: Share | Lease): void {
    this.#trays.add(pool);
  }

  /** Something of `pool` is free again, or more of it is held than was lent. */
  returned(pool: Share | Lease): void {
    // After a stop nothing is owed to anybody: what is held is told anew at the start.
    if (!this.#isRunning) return;
    const isPressing = pool instanceof Share && (pool.free < 0 || pool.isContended(this.#o.clock.now()));
    if (isPressing || pool.owner === this.#o.self) this.mark(pool);
    this.#spares.tidy(pool);
  }

  /** Every key has the owner that the new view says, and every relay is told what is held of its keys. */
  viewChanged(): void {
    const { views, pools, lender, self } = this.#o;
    this.#channels.endAll();
    this.#trays.clear();
    this.#outcomes.viewChanged();
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
    this.#outcomes.agreed(lender);
  }

  #holdingsOf(lender: string): Holding[] {
    return [...this.#o.pools.shares()].flatMap((share) => (share.owner === lender && share.report() > 0 ? [{ key: share.key, count: share.granted }] : []));
  }

  #flush(owner: string, tray: Tray, isUrgent: boolean): void {
    if (!this.#isRunning) return;
    if (owner === this.#o.self) {
      this.#lendItself(tray);
      return;
    }
    const channel = this.#channels.get(owner);
    for (const pools of [tray.due, tray.patient]) {
      if (channel?.state === 'ready') this.#send(channel, pools, { wait: pools === tray.patient, isUrgent });
      else this.#outcomes.unasked(pools, channel?.state);
    }
  }

  #send(channel: Channel, pools: Set<Share | Lease>, { wait, isUrgent }: { wait: boolean; isUrgent: boolean }): void {
    const hasRoom = (): boolean => isUrgent || channel.hasRoom(wait);
    while (pools.size > 0 && hasRoom()) {
      const batch = this.#batch(pools, wait);
      if (sizeOf(batch) > 0) channel.send(batch);
    }
  }

  #batch(due: Set<Share | Lease>, wait: boolean): Batch {
    const { pools, self, clock } = this.#o;
    return takeBatch(due, { pools, self, nowMs: clock.now(), wait });
  }

  /** Of this relay's own keys: at once, unless others are to be asked. */
  #lendItself({ due, patient }: Tray): void {
    const { lender, self } = this.#o;
    while (due.size > 0) {
      const batch = this.#batch(due, false);
      lender.settleUp(self, batch, OWN_ROUND);
      this.#outcomes.answered(batch, lender.lend(self, batch, { isFinal: false, round: OWN_ROUND }));
    }
    while (patient.size > 0) void this.#lendItselfLater(this.#batch(patient, true));
  }

  async #lendItselfLater(batch: Batch): Promise<void> {
    const { lender, self, views } = this.#o;
    const { number } = views;
    lender.settleUp(self, batch, OWN_ROUND);
    await lender.settled([...batch.holds, ...batch.rates].map(({ key }) => key));
    if (views.number === number && this.#isRunning) this.#outcomes.answered(batch, lender.lend(self, batch, { isFinal: true, round: OWN_ROUND }));
    else this.#outcomes.lost(batch);
  }
}
