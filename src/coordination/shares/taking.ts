import { RelaydError } from '../../lib/errors.ts';
import type { Lease } from './lease.ts';
import type { Served } from './pool.ts';
import { Share } from './share.ts';

type Outcome = Served | 'given up';

/**
 * One of each of `pools`, or nothing. Whoever asked last is served last.
 *
 * @param mark is told of pools that more is to be fetched for
 * @param returned is told of pools that nobody may wait for any more, or that have got something back
 * @returns the first pool that had none, and why; `undefined`: all were taken
 * @throws RelaydError CLOSED when `signal` aborts
 */
export async function takeAll(pools: readonly (Share | Lease)[], { mark, returned, nowMs }: Handing, signal: AbortSignal): Promise<{ pool: Share | Lease; served: Exclude<Served, { ok: true }> } | undefined> {
  const outcomes = await Promise.all(pools.map((pool) => obtain(pool, mark, signal)));
  const failed = outcomes.findIndex((outcome) => outcome === 'given up' || !outcome.ok);
  if (failed < 0 && !signal.aborted) {
    return undefined;
  }
  pools.forEach((pool, i) => {
    const outcome = outcomes[i];
    if (outcome !== 'given up') {
      if (outcome?.ok !== true) return;
      pool.putBack(nowMs());
      pool.serve();
    }
    // What came free while somebody waited for it is spare when they have given up.
    returned(pool);
  });
  const [pool, served] = [pools[failed], outcomes[failed]];
  if (pool === undefined || served === undefined || served === 'given up' || served.ok) {
    throw new RelaydError('CLOSED', 'nobody waits for the answer any more', { cause: signal.reason });
  }
  return { pool, served };
}

interface Handing {
  readonly mark: (pool: Share | Lease) => void;
  readonly returned: (pool: Share | Lease) => void;
  readonly nowMs: () => number;
}

/** Without waiting: one of each, when all are there. */
export function takeAtOnce(pools: readonly (Share | Lease)[], nowMs: number): boolean {
  if (!pools.every((pool) => pool.free > 0 && pool.waiting === 0)) {
    return false;
  }
  // A key may stand twice.
  const taken = pools.filter((pool) => pool.tryTake());
  if (taken.length === pools.length) {
    return true;
  }
  taken.forEach((pool) => pool.putBack(nowMs));
  return false;
}

export function keepAll(pools: readonly (Share | Lease)[]): void {
  pools.forEach((pool) => pool instanceof Share && pool.keep());
}

function obtain(pool: Share | Lease, mark: (pool: Share | Lease) => void, signal: AbortSignal): Promise<Outcome> {
  if (pool.waiting === 0 && pool.tryTake()) {
    return Promise.resolve({ ok: true });
  }
  return new Promise((resolve) => {
    const leave = pool.wait((served) => {
      signal.removeEventListener('abort', onAbort);
      resolve(served);
    });
    const onAbort = (): void => {
      leave();
      resolve('given up');
    };
    signal.addEventListener('abort', onAbort, { once: true });
    mark(pool);
  });
}
