import { errorMessage } from '../lib/errors.ts';
import type { RelaydError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

/**
 * The connections of one tunnel, from their first packet to the end of both sockets. Each is one async function that ends
 * when its signal aborts; stopping aborts them all and waits until they are gone.
 */
export class Sessions {
  readonly #running = new Map<AbortController, Promise<void>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  get size(): number {
    return this.#running.size;
  }

  /** `work` handles its own errors; one that it does not is a mistake of ours, and is logged. */
  run(work: (signal: AbortSignal) => Promise<void>): void {
    const controller = new AbortController();
    const done = work(controller.signal)
      .catch((error: unknown) => this.#log.error({ error: errorMessage(error) }, 'a tunnel connection ended in an unforeseen way'))
      .finally(() => this.#running.delete(controller));
    this.#running.set(controller, done);
  }

  async stop(reason: RelaydError): Promise<void> {
    for (const controller of this.#running.keys()) {
      controller.abort(reason);
    }
    await Promise.allSettled(this.#running.values());
  }
}
