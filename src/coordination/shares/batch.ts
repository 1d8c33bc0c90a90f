import type { Lease } from './lease.ts';
import { MAX_ITEMS } from './messages.ts';
import type { HoldOp, RateOp } from './messages.ts';
import type { Pools } from './pools.ts';
import { Share } from './share.ts';

/** Operations, and the pools that they are for, in the same order. */
export interface Batch {
  readonly shares: readonly Share[];
  readonly holds: readonly HoldOp[];
  readonly leases: readonly Lease[];
  readonly rates: readonly RateOp[];
  /** The lender may wait for others before it answers. */
  readonly wait: boolean;
}

interface BatchTerms {
  readonly pools: Pools;
  readonly self: string;
  readonly nowMs: number;
  readonly wait: boolean;
}

/** Takes what there is to say out of `due`, as much as goes into a message; of what is left with nothing, nothing is kept in `pools`. */
export function takeBatch(due: Set<Share | Lease>, { pools, self, nowMs, wait }: BatchTerms): Batch {
  const batch = { shares: [] as Share[], holds: [] as HoldOp[], leases: [] as Lease[], rates: [] as RateOp[], wait };
  for (const pool of due) {
    if (sizeOf(batch) >= MAX_ITEMS) break;
    due.delete(pool);
    const isOwn = pool.owner === self;
    if (pool instanceof Share) add(batch.shares, batch.holds, pool, pool.nextOp(nowMs, isOwn));
    else add(batch.leases, batch.rates, pool, pool.nextOp(nowMs, isOwn));
    pools.forget(pool, nowMs);
  }
  return batch;
}

/** Operations in it. */
export function sizeOf({ holds, rates }: Pick<Batch, 'holds' | 'rates'>): number {
  return holds.length + rates.length;
}

function add<P, O>(pools: P[], ops: O[], pool: P, op: O | undefined): void {
  if (op === undefined) return;
  pools.push(pool);
  ops.push(op);
}
