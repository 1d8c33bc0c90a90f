import type { Clock } from '../clock.ts';
import { errorMessage } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { peerText } from '../logger.ts';
import type { SpanExporter } from './packages.ts';

/** A collector that is away is said to be so this often. */
const SAY_EVERY_MS = 600_000;

/** As the library has it: code 0 is success. */
interface Result {
  readonly code: number;
  readonly error?: Error;
}

/** What sends them: the library's exporter. */
export interface Exporter {
  export(spans: Spans, done: (result: Result) => void): void;
  shutdown(): Promise<void>;
}

export type Spans = Parameters<SpanExporter['export']>[0];

/** Says in the log, once in a while, that spans are lost, and when they are taken again. */
export class WatchedExporter implements Exporter {
  readonly #exporter: Exporter;
  readonly #clock: Clock;
  readonly #log: Logger;
  #lost = 0;
  #sayAt = -Infinity;

  constructor(exporter: Exporter, clock: Clock, log: Logger) {
    this.#exporter = exporter;
    this.#clock = clock;
    this.#log = log;
  }

  export(spans: Spans, done: (result: Result) => void): void {
    this.#exporter.export(spans, (result) => {
      if (result.code === 0) this.#taken();
      else this.#failed(spans.length, result.error);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #taken(): void {
    if (this.#lost > 0) {
      this.#log.info({ lostSpans: this.#lost }, 'traces are taken again');
      this.#lost = 0;
      this.#sayAt = -Infinity;
    }
  }

  #failed(spans: number, error: unknown): void {
    this.#lost += spans;
    if (this.#clock.now() >= this.#sayAt) {
      this.#sayAt = this.#clock.now() + SAY_EVERY_MS;
      this.#log.warn({ lostSpans: this.#lost, error: peerText(errorMessage(error ?? 'unknown')) }, 'the collector of tracing.endpoint does not take traces');
    }
  }
}
