import type { Clock, TimerHandle } from '../lib/clock.ts';
import type { Candidate } from './candidate.ts';

/** The others get this long after the first relay has been measured. */
const SETTLE_MS = 300;
/** And a choice is made after this in any case. */
const PATIENCE_MS = 2_000;
/** The most relays measured at a time. */
const PARALLEL = 16;

interface SurveyOptions {
  clock: Clock;
  /** Connects and measures; returns milliseconds. */
  measure: (candidate: Candidate) => Promise<number>;
  onMeasured: (candidate: Candidate, rttMs: number) => void;
  onFailed: (candidate: Candidate, error: unknown) => void;
  /** A choice need not wait any longer. */
  onSettled: () => void;
}

/** Measures relays that are not held, all at once, so that a choice among them is one by distance. */
export class Survey {
  readonly #options: SurveyOptions;
  readonly #pending = new Set<Candidate>();
  #timer: TimerHandle | undefined;
  /** When a choice need not wait any longer, on the monotonic clock; `undefined` while none waits. */
  #closesAt: number | undefined;

  constructor(options: SurveyOptions) {
    this.#options = options;
  }

  /** True while a choice had better wait for the measurements under way. */
  get open(): boolean {
    return this.#closesAt !== undefined;
  }

  isMeasuring(candidate: Candidate): boolean {
    return this.#pending.has(candidate);
  }

  begin(candidates: Iterable<Candidate>): void {
    const fresh = [...candidates].filter((candidate) => !this.#pending.has(candidate)).slice(0, PARALLEL - this.#pending.size);
    if (fresh.length === 0) {
      return;
    }
    if (this.#closesAt === undefined) {
      this.#closesAt = Infinity;
      this.#closeIn(PATIENCE_MS);
    }
    fresh.forEach((candidate) => void this.#measure(candidate));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#closesAt = undefined;
    this.#pending.clear();
  }

  async #measure(candidate: Candidate): Promise<void> {
    this.#pending.add(candidate);
    try {
      const rttMs = await this.#options.measure(candidate);
      if (this.#pending.delete(candidate)) {
        this.#options.onMeasured(candidate, rttMs);
        this.#closeIn(SETTLE_MS);
      }
    } catch (error) {
      if (this.#pending.delete(candidate)) this.#options.onFailed(candidate, error);
    }
    if (this.#pending.size === 0) this.#close();
  }

  /** Only ever sooner: relays that answer one after another do not keep a choice waiting. */
  #closeIn(ms: number): void {
    const at = this.#options.clock.now() + ms;
    if (this.#closesAt === undefined || at >= this.#closesAt) {
      return;
    }
    this.#closesAt = at;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(() => this.#close(), ms);
  }

  #close(): void {
    this.#timer?.cancel();
    if (this.#closesAt !== undefined) {
      this.#closesAt = undefined;
      this.#options.onSettled();
    }
  }
}
