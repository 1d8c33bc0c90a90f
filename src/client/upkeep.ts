import type { Candidate } from './candidate.ts';
import type { ClientContext } from './context.ts';
import { endDraining } from './drains.ts';
import type { SelectionState } from './selection.ts';

interface UpkeepOptions {
  context: ClientContext;
  onForgotten: (candidate: Candidate) => void;
}

/** Puts away what is over: candidates that nobody names, waits that have ended, connections that nobody needs. */
export class Upkeep {
  readonly #o: UpkeepOptions;

  constructor(options: UpkeepOptions) {
    this.#o = options;
  }

  /** Drops candidates that nothing names any more and that nothing holds. */
  forget(): void {
    const { access, candidates, signal } = this.#o.context;
    const gone = [...candidates].filter((candidate) => !candidate.listed && candidate.held === undefined && candidate.attemptAt === undefined);
    for (const candidate of gone) {
      this.drop(candidate);
      void access.giveBack(candidate.peer, signal());
    }
  }

  /** It is no candidate any more, and nothing that came from it counts. */
  drop(candidate: Candidate): void {
    endDraining(candidate);
    candidate.standby?.stop();
    candidate.standby = undefined;
    this.#o.context.candidates.remove(candidate);
    this.#o.onForgotten(candidate);
  }

  endBackoffs(nowMs: number): void {
    for (const candidate of this.#o.context.candidates) {
      const waiting = candidate.state === 'backoff' || candidate.state === 'lost';
      if (waiting && !candidate.inUse && candidate.retryAt <= nowMs) {
        candidate.state = 'candidate';
      }
    }
  }

  /** Connections that were made to ask or to measure, to relays that were not chosen; while reservations are missing, only to those that failed. */
  giveBack({ desired, nowMs }: SelectionState, isMeasuring: (candidate: Candidate) => boolean): void {
    const { access, candidates, signal } = this.#o.context;
    const enough = [...candidates].filter((candidate) => candidate.isSolid).length >= desired;
    for (const candidate of candidates) {
      const isChoiceOver = enough && (candidate.rttMs !== undefined || desired === 0);
      if (candidate.lent && (isChoiceOver || candidate.retryAt > nowMs) && !candidate.keepsConnection && !isMeasuring(candidate)) {
        candidate.lent = false;
        void access.giveBack(candidate.peer, signal());
      }
    }
  }
}
