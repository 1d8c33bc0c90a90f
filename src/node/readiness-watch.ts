import type { Clock } from '../lib/clock.ts';
import { abortable, withDeadline } from '../lib/deadline.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';

/** As often as Prometheus asks by default: each of its samples has a check of its own, which costs some tens of milliseconds of processor time. */
const CHECK_EVERY_MS = 15_000;
/** A check that takes longer than this says in itself that the node is not well. */
const DEADLINE_MS = 5_000;

/**
 * The readiness checks of one run of the node, one at a time whoever asks: their two peers have one identity each. Remembers the last answer for
 * {@link lastProblems}, so that readiness can be watched by who only reads metrics.
 */
export class ReadinessWatch implements Part {
  readonly name = 'readiness watch';
  readonly #check: (signal: AbortSignal) => Promise<string[]>;
  readonly #clock: Clock;
  #stopped = new AbortController();
  #running: Promise<string[]> | undefined;
  #last: readonly string[] | undefined;
  #nextAt = Infinity;

  constructor(check: (signal: AbortSignal) => Promise<string[]>, clock: Clock) {
    this.#check = check;
    this.#clock = clock;
  }

  start(): void {
    this.#stopped = new AbortController();
    this.#last = undefined;
    this.#nextAt = this.#clock.now() + CHECK_EVERY_MS;
  }

  async stop(): Promise<void> {
    this.#nextAt = Infinity;
    this.#stopped.abort(new Error('the node is stopping'));
    await this.#running;
  }

  /** Why the node is not ready; empty when it is. @throws the reason of `signal` when it aborts first */
  problems(signal: AbortSignal): Promise<string[]> {
    this.#running ??= this.#run();
    return abortable(this.#running, signal);
  }

  /** Of the last check; begins another one, whose answer is the next one's, when that was too long ago. */
  lastProblems(): readonly string[] | undefined {
    if (this.#clock.now() >= this.#nextAt) this.#running ??= this.#run();
    return this.#last;
  }

  /** Never rejects. */
  async #run(): Promise<string[]> {
    const problems = await withDeadline(DEADLINE_MS, this.#clock, [this.#stopped.signal], this.#check).catch((error: unknown) => [errorMessage(error)]);
    this.#last = problems;
    this.#running = undefined;
    this.#nextAt = this.#stopped.signal.aborted ? Infinity : this.#clock.now() + CHECK_EVERY_MS;
    return problems;
  }
}
