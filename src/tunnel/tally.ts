import type { TunnelRow } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Clock } from '../lib/clock.ts';
import { TokenBucket } from '../lib/token-bucket.ts';
import type { Direction, TunnelMetrics } from './metrics.ts';

/** Lines about connections that did not work: a client that tries all the time must not fill the disk. */
const LOG_RATE = { count: 10, perMs: 10_000 };

export interface TallyOptions {
  direction: Direction;
  log: Logger;
  metrics: TunnelMetrics;
  clock: Clock;
}

/** What happened to the connections of one tunnel: its counts, its series, its log lines, always together. */
export class Tally {
  readonly #o: TallyOptions;
  readonly #logTokens: TokenBucket;
  readonly onSent: (bytes: number) => void;
  readonly onReceived: (bytes: number) => void;
  #unlogged = 0;
  #open = 0;
  #opened = 0;
  #refused = 0;
  #failed = 0;
  #lastError: string | null = null;

  constructor(options: TallyOptions) {
    this.#o = options;
    this.#logTokens = new TokenBucket(LOG_RATE, options.clock);
    this.onSent = options.metrics.bytes(options.direction, 'sent');
    this.onReceived = options.metrics.bytes(options.direction, 'received');
  }

  opened(): void {
    this.#open++;
    this.#opened++;
    this.#o.metrics.ended(this.#o.direction, 'ok');
    this.#o.metrics.opened(this.#o.direction);
  }

  closed(): void {
    this.#open--;
    this.#o.metrics.closed(this.#o.direction);
  }

  refused(error: unknown, facts: Record<string, unknown>): void {
    this.#refused++;
    this.#note('refused', 'a tunnel connection was refused', error, facts);
  }

  failed(error: unknown, facts: Record<string, unknown>): void {
    this.#failed++;
    this.#note('failed', 'a tunnel connection failed', error, facts);
  }

  /** Of one that had been opened, and is counted as such already. */
  cut(error: unknown, facts: Record<string, unknown>): void {
    this.#failed++;
    this.#note('failed', 'a tunnel connection was cut', error, facts);
  }

  counts(): Pick<TunnelRow, 'open' | 'opened' | 'refused' | 'failed' | 'lastError'> {
    return { open: this.#open, opened: this.#opened, refused: this.#refused, failed: this.#failed, lastError: this.#lastError };
  }

  #note(outcome: 'refused' | 'failed', text: string, error: unknown, facts: Record<string, unknown>): void {
    this.#lastError = errorMessage(error);
    this.#o.metrics.ended(this.#o.direction, outcome);
    if (!this.#logTokens.tryTake()) {
      this.#unlogged++;
      return;
    }
    const unlogged = this.#unlogged;
    this.#unlogged = 0;
    this.#o.log.warn({ ...facts, error: this.#lastError, ...(unlogged > 0 ? { unloggedBefore: unlogged } : {}) }, text);
  }
}
