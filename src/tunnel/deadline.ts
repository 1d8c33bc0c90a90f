import type { Clock } from '../lib/clock.ts';
import { RelaydError, toError } from '../lib/errors.ts';

export interface DeadlineOptions {
  clock: Clock;
  ms: number;
  /** What is waited for, as the subject of "… within 10 s". */
  what: string;
  /** Ends the wait early; its reason is thrown. */
  signal: AbortSignal;
}

/**
 * Runs `work` with a signal that aborts at the deadline, and does not wait for work that ignores it: what such work gives
 * back later goes to `discard`.
 *
 * @throws RelaydError TIMEOUT; the outer signal's reason; whatever `work` throws
 */
export async function withDeadline<T>(options: DeadlineOptions, work: (signal: AbortSignal) => Promise<T>, discard?: (late: T) => void): Promise<T> {
  const { clock, ms, what, signal } = options;
  signal.throwIfAborted();
  const inner = new AbortController();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  inner.signal.addEventListener('abort', () => reject(toError(inner.signal.reason)), { once: true });
  const onOuterAbort = (): void => inner.abort(signal.reason);
  signal.addEventListener('abort', onOuterAbort, { once: true });
  const timer = clock.setTimer(() => inner.abort(new RelaydError('TIMEOUT', `${what} within ${ms / 1000} s`)), ms);
  try {
    const working = work(inner.signal);
    working.then((late) => inner.signal.aborted && discard?.(late), () => {});
    return await Promise.race([working, aborted]);
  } catch (error) {
    throw inner.signal.aborted ? toError(inner.signal.reason) : error;
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', onOuterAbort);
  }
}
