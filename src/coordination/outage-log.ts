import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';

export interface OutageLogOptions {
  readonly backend: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What the log says of a store that is away: one warning an outage, however often the words for it change, and its end with how long it was. */
export class OutageLog {
  readonly #o: OutageLogOptions;
  #since: number | undefined;

  constructor(options: OutageLogOptions) {
    this.#o = options;
  }

  away(problem: string): void {
    const { backend, clock, log } = this.#o;
    if (this.#since === undefined) log.warn({ backend, problem }, 'the cluster does not answer: this relay works by its own limits and its part of those over the cluster');
    else log.debug({ backend, problem }, 'the cluster still does not answer');
    this.#since ??= clock.now();
  }

  back(): void {
    const { backend, clock, log } = this.#o;
    log.info({ backend, ...(this.#since === undefined ? {} : { awayMs: Math.round(clock.now() - this.#since) }) }, 'the cluster answers');
    this.#since = undefined;
  }

  /** Nothing is known of an outage any more: this relay has stopped. */
  clear(): void {
    this.#since = undefined;
  }
}
