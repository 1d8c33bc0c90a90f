import type { Clock } from '../lib/clock.ts';
import { errorMessage } from '../lib/errors.ts';
import type { RelaydError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';

/** What a session gets: its signal, how to abort that, and whom to tell that bytes have moved. */
export interface Session {
  readonly signal: AbortSignal;
  readonly cut: (reason: RelaydError) => void;
  readonly moved: () => void;
}

interface Running {
  readonly done: Promise<void>;
  readonly movedAt: () => number;
}

export interface SettleOptions {
  /** Sessions that have moved nothing for so long are not waited for. */
  quietMs: number;
  /** Ends the wait. */
  signal: AbortSignal;
}

/** How often a drain looks whether anything still moves. */
const LOOK_MS = 100;

/**
 * The connections of one tunnel, from their first packet to the end of both sockets. Each is one async function that ends
 * when its signal aborts; stopping aborts them all and waits until they are gone.
 */
export class Sessions {
  readonly #running = new Map<AbortController, Running>();
  readonly #log: Logger;
  readonly #clock: Clock;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  get size(): number {
    return this.#running.size;
  }

  /** `work` handles its own errors; one that it does not is a mistake of ours, and is logged. */
  run(work: (session: Session) => Promise<void>): void {
    const controller = new AbortController();
    let movedAt = this.#clock.now();
    const moved = (): void => void (movedAt = this.#clock.now());
    const done = work({ signal: controller.signal, cut: (reason) => controller.abort(reason), moved })
      .catch((error: unknown) => this.#log.error({ error: errorMessage(error) }, 'a tunnel connection ended in an unforeseen way'))
      .finally(() => this.#running.delete(controller));
    this.#running.set(controller, { done, movedAt: () => movedAt });
  }

  /** Returns when every session has ended or stands still, or the signal says so. */
  async settle({ quietMs, signal }: SettleOptions): Promise<void> {
    const isBusy = ({ movedAt }: Running): boolean => this.#clock.now() - movedAt() < quietMs;
    while (!signal.aborted && [...this.#running.values()].some(isBusy)) {
      await new Promise<void>((resolve) => this.#clock.setTimer(resolve, LOOK_MS));
    }
  }

  async stop(reason: RelaydError): Promise<void> {
    for (const controller of this.#running.keys()) {
      controller.abort(reason);
    }
    await Promise.allSettled([...this.#running.values()].map(({ done }) => done));
  }
}
