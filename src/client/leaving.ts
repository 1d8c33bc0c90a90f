import { backoffCapMs, backoffMs } from './backoff.ts';
import type { Candidate } from './candidate.ts';
import { hopConnections } from './components.ts';
import type { ClientContext } from './context.ts';
import { drained, endDraining } from './drains.ts';
import type { Ending } from './ending.ts';
import type { SelectionState } from './selection.ts';

interface LeavingOptions {
  context: ClientContext;
  ending: Ending;
}

/** Leaves relays that drain, and takes them for what they were when they have gone or come back. */
export class Leaving {
  readonly #o: LeavingOptions;

  constructor(options: LeavingOptions) {
    this.#o = options;
  }

  decide(state: SelectionState): void {
    const { candidates, metrics } = this.#o.context;
    for (const candidate of candidates) {
      // What said so does not hold any more, and nothing newer does.
      if (candidate.held === undefined && (candidate.statement?.until ?? 0) <= state.nowMs) endDraining(candidate);
    }
    for (const candidate of drained(candidates, state)) {
      metrics.drained('moved');
      this.#o.ending.release(candidate, 'draining');
    }
  }

  /** One that was left before has gone, with its last connection: it may be back soon, as any relay that was lost. */
  connectionClosed(candidate: Candidate): void {
    const { clock, components, random, changed } = this.#o.context;
    if (candidate.draining === undefined || candidate.held !== undefined || hopConnections(components, candidate.peer).length > 0) {
      return;
    }
    endDraining(candidate);
    candidate.lostAt = clock.now();
    candidate.retryAt = clock.now() + backoffMs(1, random, 0, backoffCapMs(candidate, clock.now()));
    changed();
  }
}
