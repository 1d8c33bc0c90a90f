import type { Clock, TimerHandle } from '../lib/clock.ts';
import { toError } from '../lib/errors.ts';

/** One way to what is wanted. It ends soon after its signal has aborted. */
export type Way<T> = (signal: AbortSignal) => Promise<T>;

interface InTurnOptions<T> {
  /** A way that has not brought anything for so long is waited for beside the next. */
  readonly nextAfterMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether no other way would bring anything after this. */
  readonly isFinal: (error: Error) => boolean;
  /** What a way brings after another one has. */
  readonly discard: (late: T) => void;
}

/** What one way has brought, or what became of each, in their order. */
export type Brought<T> = { readonly value: T } | { readonly errors: readonly Error[] };

/** Why a way is given up: another one has brought it, or said that none will. */
export class Outrun extends Error {}

/** Tries ways one after the other: the next one as soon as one fails, or has taken long. Never rejects. */
export function inTurn<T>(ways: readonly Way<T>[], options: InTurnOptions<T>): Promise<Brought<T>> {
  return new Turns(ways, options).run();
}

class Turns<T> {
  readonly #ways: readonly Way<T>[];
  readonly #o: InTurnOptions<T>;
  readonly #result = Promise.withResolvers<Brought<T>>();
  readonly #running = new Set<AbortController>();
  readonly #errors: Error[] = [];
  #begun = 0;
  #isOver = false;
  #timer: TimerHandle | undefined;

  constructor(ways: readonly Way<T>[], options: InTurnOptions<T>) {
    this.#ways = ways;
    this.#o = options;
  }

  run(): Promise<Brought<T>> {
    this.#o.signal.addEventListener('abort', this.#onAbort);
    if (this.#ways.length === 0) this.#end({ errors: [] });
    else this.#begin();
    if (this.#o.signal.aborted) this.#onAbort();
    return this.#result.promise;
  }

  readonly #onAbort = (): void => this.#giveUp(this.#o.signal.reason);

  readonly #begin = (): void => {
    this.#timer?.cancel();
    const turn = this.#begun++;
    const way = this.#ways[turn];
    if (way === undefined) {
      return;
    }
    const own = new AbortController();
    this.#running.add(own);
    if (this.#begun < this.#ways.length) this.#timer = this.#o.clock.setTimer(this.#begin, this.#o.nextAfterMs);
    way(own.signal).then(
      (value) => this.#came(own, value),
      (error: unknown) => this.#failed(own, turn, toError(error)),
    );
  };

  #came(own: AbortController, value: T): void {
    this.#running.delete(own);
    if (this.#isOver) this.#o.discard(value);
    else this.#end({ value });
  }

  #failed(own: AbortController, turn: number, error: Error): void {
    this.#running.delete(own);
    this.#errors[turn] = error;
    if (this.#isOver) {
      return;
    }
    if (this.#o.isFinal(error)) this.#end({ errors: [error] });
    else if (this.#begun < this.#ways.length && !this.#o.signal.aborted) this.#begin();
    else if (this.#running.size === 0) this.#end({ errors: this.#errors });
  }

  #end(brought: Brought<T>): void {
    this.#isOver = true;
    this.#o.signal.removeEventListener('abort', this.#onAbort);
    this.#giveUp(new Outrun('it has come another way'));
    this.#result.resolve(brought);
  }

  #giveUp(why: unknown): void {
    this.#timer?.cancel();
    this.#running.forEach((own) => own.abort(why));
  }
}
