import type { Clock } from '../lib/clock.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

/** While a store is away it is tried many times a second. */
const READ_AT_MOST_EVERY_MS = 1_000;

/** What files hold, read again where it may have changed: a certificate is renewed, a password replaced. */
export class RenewedFiles<T> {
  readonly #read: () => T;
  readonly #clock: Clock;
  readonly #log: Logger;
  #current: T;
  #readAt: number;
  #problem: string | undefined;

  /** @throws what `read` throws */
  constructor(read: () => T, clock: Clock, log: Logger) {
    this.#read = read;
    this.#clock = clock;
    this.#log = log;
    this.#current = read();
    this.#readAt = clock.now();
  }

  get current(): T {
    return this.#current;
  }

  /** The store could not be reached, or has refused. Never throws: a file that is wrong leaves what was read before, and is said in the log once. */
  readAgain(): void {
    const now = this.#clock.now();
    if (now - this.#readAt < READ_AT_MOST_EVERY_MS) return;
    this.#readAt = now;
    try {
      this.#current = this.#read();
      this.#problem = undefined;
    } catch (error) {
      const problem = errorMessage(error);
      if (problem !== this.#problem) this.#log.warn({ problem }, 'a file for the store is wrong: what was read before stays in force');
      this.#problem = problem;
    }
  }
}
