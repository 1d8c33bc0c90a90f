import type { Clock } from '../lib/clock.ts';
import type { NodeView } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';

/** A check that takes longer than this says in itself that the node is not well. */
const DEADLINE_MS = 5_000;
/** Probes of several load balancers come close together; the check opens real circuits. */
const CACHE_MS = 1_000;

/** Asks the node whether it is well: one check at a time, whoever asks, and its answer for a second. */
export class Readiness {
  readonly #view: Pick<NodeView, 'state' | 'readinessProblems'>;
  readonly #clock: Clock;
  #running: { check: Promise<string[]>; stop: AbortController } | undefined;
  #last: { problems: string[]; at: number } | undefined;

  constructor(view: Pick<NodeView, 'state' | 'readinessProblems'>, clock: Clock) {
    this.#view = view;
    this.#clock = clock;
  }

  /** Why the node is not ready; empty when it is. Never rejects. */
  async problems(): Promise<string[]> {
    const state = this.#view.state();
    if (state !== 'ready') {
      return [state];
    }
    if (this.#last !== undefined && this.#clock.now() - this.#last.at < CACHE_MS) {
      return this.#last.problems;
    }
    this.#running ??= this.#start();
    return this.#running.check;
  }

  /** Ends a check that is under way. */
  stop(): void {
    this.#running?.stop.abort(new Error('the admin server stops'));
  }

  #start(): { check: Promise<string[]>; stop: AbortController } {
    const stop = new AbortController();
    const timer = this.#clock.setTimer(() => stop.abort(new Error(`the readiness check took longer than ${DEADLINE_MS / 1000} s`)), DEADLINE_MS);
    const check = this.#ask(stop.signal).finally(() => {
      timer.cancel();
      this.#running = undefined;
    });
    return { check, stop };
  }

  async #ask(signal: AbortSignal): Promise<string[]> {
    let problems: string[];
    try {
      problems = await Promise.race([this.#view.readinessProblems(signal), aborted(signal)]);
    } catch (error) {
      problems = [errorMessage(signal.aborted ? signal.reason : error)];
    }
    this.#last = { problems, at: this.#clock.now() };
    return problems;
  }
}

/** A view that does not heed the signal does not keep the asker waiting. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
}
