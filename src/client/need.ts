import type { Reachability } from '../lib/contracts.ts';
import type { Candidate } from './candidate.ts';
import type { SupervisorSettings } from './settings.ts';

/** Beside those held: one in reserve, and one more to choose from. */
const SPARE_CANDIDATES = 2;

interface NeedOptions {
  context: { readonly candidates: Iterable<Candidate>; readonly settings: () => Pick<SupervisorSettings, 'when' | 'desired'> };
  onWanted: (wanted: boolean) => void;
}

/** How many relays this node needs, and whether it knows enough of them. */
export class Need {
  readonly #o: NeedOptions;
  /** Whether others reach this node directly. */
  reachability: Reachability = 'unknown';
  #told = false;

  constructor(options: NeedOptions) {
    this.#o = options;
  }

  /** Reservations to hold: none while others reach this node directly, unless the config says that it has them always. */
  get desired(): number {
    const { when, desired } = this.#o.context.settings();
    return when === 'auto' && this.reachability === 'public' ? 0 : desired;
  }

  /** Fewer relays can be relied on than are held, kept in reserve, and there to choose from. */
  get wantsRelays(): boolean {
    const good = [...this.#o.context.candidates].filter((candidate) => candidate.listed && candidate.failures === 0 && candidate.draining === undefined);
    return this.desired > 0 && good.length < this.desired + SPARE_CANDIDATES;
  }

  /** Says so when that has changed. */
  tellWanted(): void {
    const wanted = this.wantsRelays;
    if (wanted !== this.#told) {
      this.#told = wanted;
      this.#o.onWanted(wanted);
    }
  }
}
