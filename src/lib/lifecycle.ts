import { errorMessage } from './errors.ts';
import type { Logger } from './logger.ts';

/** A part of the node with a start and a stop. Both may be called again after the other. */
export interface Part {
  readonly name: string;
  start(): Promise<void> | void;
  stop(): Promise<void> | void;
}

/**
 * Starts parts in order and stops them in reverse. When one fails to start, those before it are
 * stopped again and the failure is thrown. A part that fails to stop, or takes longer than
 * `stopTimeoutMs`, is logged and does not keep the others running.
 */
export class Lifecycle {
  readonly #running: Part[] = [];
  readonly #log: Logger;
  readonly #stopTimeoutMs: number;

  constructor(log: Logger, stopTimeoutMs = 10_000) {
    this.#log = log;
    this.#stopTimeoutMs = stopTimeoutMs;
  }

  async start(parts: Iterable<Part>): Promise<void> {
    for (const part of parts) {
      try {
        await part.start();
      } catch (error) {
        await this.stop();
        throw error;
      }
      this.#running.push(part);
    }
  }

  async stop(): Promise<void> {
    for (let part = this.#running.pop(); part !== undefined; part = this.#running.pop()) {
      await this.#stopOne(part);
    }
  }

  async #stopOne(part: Part): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`did not stop within ${this.#stopTimeoutMs} ms`)), this.#stopTimeoutMs);
    });
    try {
      await Promise.race([Promise.resolve(part.stop()), deadline]);
    } catch (error) {
      this.#log.warn({ part: part.name, error: errorMessage(error) }, 'a part did not stop cleanly');
    } finally {
      clearTimeout(timer);
    }
  }
}
