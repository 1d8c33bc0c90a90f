import type { Clock, TimerHandle } from '../lib/clock.ts';
import { deadline } from '../lib/deadline.ts';

/** One way to get what the race is for. */
export interface Contender<T> {
  readonly label: string;
  run(signal: AbortSignal): Promise<T>;
  /** Gets rid of what came after another had won. */
  discard?(value: T): void;
}

interface Failure {
  readonly label: string;
  readonly error: unknown;
}

/** Nobody won; `cause` is the signal's reason when that ended it. */
export class RaceLost extends Error {
  readonly failures: readonly Failure[];

  constructor(failures: readonly Failure[], options?: { cause: unknown }) {
    super('no contender succeeded', options);
    this.failures = failures;
  }
}

interface RaceOptions {
  /** The next slot starts this long after the one before it, or as soon as all of that one have failed. */
  staggerMs: number;
  /** The most that one contender may take. */
  contenderMs: number;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Runs slots of contenders, each slot later than the one before, until the first succeeds: that one is the result, the
 * others are aborted, and what they still bring is discarded. A contender that hangs costs its slot's time, never more.
 *
 * @throws RaceLost
 */
export function race<T>(slots: readonly (readonly Contender<T>[])[], options: RaceOptions): Promise<T> {
  return new Promise((resolve, reject) => new Race(slots, options, resolve, reject).start());
}

class Race<T> {
  readonly #slots: (readonly Contender<T>[])[];
  readonly #options: RaceOptions;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: RaceLost) => void;
  readonly #failures: Failure[] = [];
  readonly #over = new AbortController();
  readonly #onAbort = (): void => this.#lose(this.#options.signal.reason);
  /** Contenders under way, with their slot. */
  readonly #running = new Map<Contender<T>, number>();
  #slot = 0;
  #timer: TimerHandle | undefined;

  constructor(slots: readonly (readonly Contender<T>[])[], options: RaceOptions, resolve: (value: T) => void, reject: (error: RaceLost) => void) {
    this.#slots = slots.filter((slot) => slot.length > 0);
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    if (this.#options.signal.aborted) {
      this.#onAbort();
      return;
    }
    this.#options.signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#next();
  }

  #next(): void {
    this.#timer?.cancel();
    const slot = this.#slots.shift();
    if (slot === undefined) {
      if (this.#running.size === 0) this.#lose();
      return;
    }
    this.#slot += 1;
    slot.forEach((contender) => this.#running.set(contender, this.#slot));
    this.#timer = this.#options.clock.setTimer(() => this.#next(), this.#options.staggerMs);
    slot.forEach((contender) => this.#run(contender));
  }

  #run(contender: Contender<T>): void {
    const limit = deadline(this.#options.contenderMs, this.#options.clock, this.#over.signal);
    let done = false;
    const fail = (error: unknown): void => {
      if (done) return;
      done = true;
      limit.clear();
      this.#failed(contender, error);
    };
    const succeed = (value: T): void => {
      if (done) {
        contender.discard?.(value);
        return;
      }
      done = true;
      limit.clear();
      this.#win(value);
    };
    limit.signal.addEventListener('abort', () => fail(limit.signal.reason), { once: true });
    contender.run(limit.signal).then(succeed, fail);
  }

  #win(value: T): void {
    this.#end();
    this.#resolve(value);
  }

  #failed(contender: Contender<T>, error: unknown): void {
    if (this.#over.signal.aborted) {
      return;
    }
    this.#failures.push({ label: contender.label, error });
    this.#running.delete(contender);
    if (![...this.#running.values()].includes(this.#slot)) {
      this.#next();
    }
  }

  #lose(cause?: unknown): void {
    const unfinished = [...this.#running.keys()].map(({ label }): Failure => ({ label, error: new Error('no answer yet') }));
    this.#end();
    this.#reject(new RaceLost([...this.#failures, ...unfinished], cause === undefined ? undefined : { cause }));
  }

  #end(): void {
    this.#timer?.cancel();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#over.abort(new Error('another way was faster'));
  }
}
