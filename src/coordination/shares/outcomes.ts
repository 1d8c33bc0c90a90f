import type { Clock } from '../../lib/clock.ts';
import { Alone } from './alone.ts';
import type { Batch } from './batch.ts';
import type { Channel } from './channel.ts';
import type { Lease } from './lease.ts';
import type { Answer, HoldResult, OpStatus, RateResult } from './messages.ts';
import type { ShareMetrics } from './metrics.ts';
import type { Served } from './pool.ts';
import type { Share } from './share.ts';
import type { Spares } from './spares.ts';
import type { Views } from './views.ts';

/** How long a request waits for the views of two relays to agree on who owns a key. */
const DISAGREED_MS = 100;

/** The lender's answer was too short. */
const NO_PLACES: HoldResult = { status: 'busy', granted: 0, current: 0, maximum: 0, contended: false };
const NO_TOKENS: RateResult = { status: 'busy', granted: 0, retryAfterMs: 0 };

interface OutcomesOptions {
  readonly views: Views;
  readonly clock: Clock;
  readonly metrics: ShareMetrics;
  readonly spares: Spares;
  /** There is more to ask or to tell; `patient`: the lender may take its time. */
  readonly ask: (pool: Share | Lease, kind: 'due' | 'patient') => void;
  readonly canAsk: (lender: string) => boolean;
}

/** What becomes of those who wait: what the lender says, or without a lender what this relay decides by itself. */
export class Outcomes {
  readonly #o: OutcomesOptions;
  readonly #alone: Alone;
  /** Pools that somebody waits for, whose lender does not see itself as that, or does not see this relay. */
  readonly #disagreed = new Set<Share | Lease>();

  constructor(options: OutcomesOptions) {
    this.#o = options;
    this.#alone = new Alone(options.views, options.clock);
  }

  stop(): void {
    this.#disagreed.clear();
    this.#alone.clear();
  }

  /** Whoever disagreed may agree now: all is asked anew. */
  viewChanged(): void {
    this.#disagreed.clear();
  }

  /** `lender` agrees now. */
  agreed(lender: string): void {
    for (const pool of this.#disagreed) {
      if (pool.owner !== lender) continue;
      this.#disagreed.delete(pool);
      this.#o.ask(pool, 'due');
    }
  }

  answered(batch: Batch, { holds, rates }: Answer): void {
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

  /** Whoever still waits is asked for again. */
  lost({ shares, holds, leases, rates }: Batch): void {
    const ops = [...holds, ...rates];
    [...shares, ...leases].forEach((pool, i) => {
      pool.answered(ops[i]?.want ?? 0);
      if (pool.waiting > 0) this.#o.ask(pool, 'due');
      this.#o.spares.tidy(pool);
    });
  }

  /** For all of `pools`, whose lender cannot be asked; `undefined`: it is not known. */
  unasked(pools: Set<Share | Lease>, state: Channel['state'] | undefined): void {
    for (const pool of pools) {
      pools.delete(pool);
      if (state !== 'stranger') this.#decideAlone(pool);
      else if (pool.waiting > 0) this.#disagree(pool);
    }
  }

  #got(pool: Share | Lease, want: number, { status, hasWaited }: { status: OpStatus; hasWaited: boolean }, refusal: Served): void {
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
      this.#o.ask(pool, 'patient');
    } else {
      pool.refuse(refusal);
    }
    this.#o.spares.tidy(pool);
  }

  /** The views will agree soon, or this relay decides alone. */
  #disagree(pool: Share | Lease): void {
    if (this.#disagreed.has(pool)) return;
    this.#disagreed.add(pool);
    this.#o.clock.setTimer(() => {
      if (this.#disagreed.delete(pool)) this.#decideAlone(pool);
    }, DISAGREED_MS);
  }

  #decideAlone(pool: Share | Lease): void {
    const { waiting } = pool;
    this.#alone.decide(pool);
    this.#o.metrics.decided('alone', waiting);
    // More may be held now than was lent.
    if (pool.free < 0 && this.#o.canAsk(pool.owner)) this.#o.ask(pool, 'due');
    this.#o.spares.tidy(pool);
  }
}
