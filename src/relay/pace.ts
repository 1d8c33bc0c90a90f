import type { Clock } from '../lib/clock.ts';
import { sleep } from '../lib/deadline.ts';
import { TokenBucket } from '../lib/token-bucket.ts';
import type { Rate } from '../lib/token-bucket.ts';

export interface Pace {
  /** Pieces of work at the same time. */
  readonly concurrency: number;
  readonly rate: Rate | undefined;
}

/** Does `work` on each item, no faster than `pace` allows; ends early when `signal` aborts. `work` must not throw. */
export async function paced<T>(items: Iterator<T>, pace: Pace, clock: Clock, signal: AbortSignal, work: (item: T) => Promise<void>): Promise<void> {
  const bucket = pace.rate === undefined ? undefined : new TokenBucket(pace.rate, clock);
  const turn = async (): Promise<void> => {
    while (bucket?.tryTake() === false && !signal.aborted) await sleep(bucket.waitMs(), clock, signal);
  };
  const worker = async (): Promise<void> => {
    while (!signal.aborted) {
      const next = items.next();
      if (next.done === true) return;
      await turn();
      if (!signal.aborted) await work(next.value);
    }
  };
  await Promise.all(Array.from({ length: pace.concurrency }, worker));
}
