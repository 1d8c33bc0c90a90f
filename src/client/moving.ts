import type { Candidate } from './candidate.ts';
import type { ClientContext } from './context.ts';
import type { Holding } from './holding.ts';
import { chooseMove } from './selection.ts';
import type { SelectionState } from './selection.ts';

/** Between one move to a better relay and the next: the figures that made it must have settled. */
const MOVE_PAUSE_MS = 5 * 60_000;

interface MovingOptions {
  context: { readonly candidates: Iterable<Candidate> } & Pick<ClientContext, 'log' | 'metrics'>;
  holding: Pick<Holding, 'attempt'>;
}

/** Reserves a clearly better relay beside those that are held, of which the worst is let go then. */
export class Moving {
  readonly #o: MovingOptions;
  #isDue = false;
  #nextAt = 0;

  constructor(options: MovingOptions) {
    this.#o = options;
  }

  /** A better relay may have turned up. */
  due(): void {
    this.#isDue = true;
  }

  /** What was best may not be any more. */
  dueAtOnce(): void {
    this.#isDue = true;
    this.#nextAt = 0;
  }

  decide(state: SelectionState): void {
    const { candidates, log, metrics } = this.#o.context;
    const isTrying = [...candidates].some((candidate) => candidate.attemptAt !== undefined);
    if (!this.#isDue || isTrying || state.nowMs < this.#nextAt) {
      return;
    }
    this.#isDue = false;
    const better = chooseMove(candidates, state);
    if (better !== undefined) {
      this.#nextAt = state.nowMs + MOVE_PAUSE_MS;
      metrics.moved();
      log.info({ relay: better.id }, 'moving to a better relay');
      void this.#o.holding.attempt(better);
    }
  }
}
