import type { Clock } from '../lib/clock.ts';

/** Formats that only a scraper asks for: a person's curl takes anything, our commands take JSON. */
const SCRAPER = /text\/plain|openmetrics/;

/** When `/metrics` was last read by something that collects metrics. */
export class Scrapes {
  readonly #clock: Clock;
  #lastAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param accept of the request's header */
  read(accept: string): void {
    if (SCRAPER.test(accept)) this.#lastAt = this.#clock.now();
  }

  /** `null` since the start of the server. */
  get secondsAgo(): number | null {
    return this.#lastAt === undefined ? null : Math.round((this.#clock.now() - this.#lastAt) / 1000);
  }
}
