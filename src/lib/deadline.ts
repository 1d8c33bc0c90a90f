import { setMaxListeners } from 'node:events';
import type { Clock } from './clock.ts';
import { RelaydError, toError } from './errors.ts';

interface Deadline {
  readonly signal: AbortSignal;
  /** Ends the timer and lets go of the parents; to be called whatever the outcome. */
  clear(): void;
}

/**
 * A signal that aborts after `ms` with RelaydError TIMEOUT, or with a parent's reason when that aborts first.
 * In place of AbortSignal.any: a parent here lives as long as the program, and `clear` leaves nothing on it.
 */
export function deadline(ms: number, clock: Clock, ...parents: AbortSignal[]): Deadline {
  const controller = new AbortController();
  setMaxListeners(Infinity, controller.signal);
  const timer = clock.setTimer(() => controller.abort(new RelaydError('TIMEOUT', `no answer within ${ms} ms`)), ms);
  const links = parents.map((parent) => follow(parent, controller));
  return {
    signal: controller.signal,
    clear: () => {
      timer.cancel();
      links.forEach((unlink) => unlink());
    },
  };
}

/** Runs `work` under a deadline that is cleared when it ends. @throws what `work` throws, or the deadline's reason */
export async function withDeadline<T>(ms: number, clock: Clock, parents: AbortSignal[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = deadline(ms, clock, ...parents);
  try {
    return await abortable(work(limit.signal), limit.signal);
  } finally {
    limit.clear();
  }
}

/** `promise`, given up when `signal` aborts: for work that may not heed the signal by itself. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(toError(signal.reason));
    if (signal.aborted) {
      promise.catch(() => {});
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Resolves after `ms`, or when `signal` aborts. */
export function sleep(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimer(done, ms);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}

/** Aborts `controller` when `parent` aborts; the result ends that. */
function follow(parent: AbortSignal, controller: AbortController): () => void {
  const onAbort = (): void => controller.abort(parent.reason);
  if (parent.aborted) {
    onAbort();
    return () => {};
  }
  parent.addEventListener('abort', onAbort, { once: true });
  return () => parent.removeEventListener('abort', onAbort);
}
