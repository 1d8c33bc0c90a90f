import { setMaxListeners } from 'node:events';
import { RelaydError } from '../lib/errors.ts';
import { abortable } from '../lib/deadline.ts';

/**
 * Work that several callers wait for, done once a key. It is aborted when the last of them has given up.
 */
export class SharedAttempts<T> {
  readonly #byKey = new Map<string, { result: Promise<T>; controller: AbortController; waiting: number }>();

  /** @throws what the work throws, or `signal`'s reason; the work must end soon once its own signal aborts */
  async join(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const attempt = this.#byKey.get(key) ?? this.#begin(key, work);
    attempt.waiting += 1;
    try {
      return await abortable(attempt.result, signal);
    } catch (error) {
      if (!signal.aborted || attempt.waiting > 1) throw error;
      // The last one to leave ends the work, and takes with it what the work has to say.
      attempt.controller.abort(signal.reason);
      return await attempt.result;
    } finally {
      attempt.waiting -= 1;
      if (attempt.waiting === 0) {
        this.#forget(key, attempt);
        attempt.controller.abort(signal.reason ?? new RelaydError('CLOSED', 'nobody waits for it any more'));
      }
    }
  }

  abortAll(reason: Error): void {
    this.#byKey.forEach((attempt) => attempt.controller.abort(reason));
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): { result: Promise<T>; controller: AbortController; waiting: number } {
    const controller = new AbortController();
    setMaxListeners(Infinity, controller.signal);
    const attempt = { result: work(controller.signal), controller, waiting: 0 };
    attempt.result.catch(() => {}).finally(() => this.#forget(key, attempt));
    this.#byKey.set(key, attempt);
    return attempt;
  }

  #forget(key: string, attempt: unknown): void {
    if (this.#byKey.get(key) === attempt) {
      this.#byKey.delete(key);
    }
  }
}
