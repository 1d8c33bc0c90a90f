import type { ForwardMark } from '../lib/contracts.ts';
import { Counts } from '../lib/counts.ts';
import { Circuit } from './circuit.ts';
import type { CircuitEnd, CircuitOptions } from './circuit.ts';
import type { LimitClass } from './classes.ts';
import type { ForwardDirection } from './forwarding/metrics.ts';

/** Owns every open circuit. */
export class Circuits {
  readonly #open = new Map<number, Circuit>();
  readonly #waiting = new Set<() => void>();
  readonly #onEnd: (circuit: Circuit, reason: CircuitEnd) => void;
  #nextId = 1;

  constructor(onEnd: (circuit: Circuit, reason: CircuitEnd) => void) {
    this.#onEnd = onEnd;
  }

  open(options: Omit<CircuitOptions, 'id' | 'onEnd'>): Circuit {
    const circuit = new Circuit({ ...options, id: this.#nextId++, onEnd: (ended, reason) => this.#ended(ended, reason) });
    this.#open.set(circuit.id, circuit);
    return circuit;
  }

  all(): Circuit[] {
    return [...this.#open.values()];
  }

  /** How many lead to each peer. */
  perTarget(): Counts {
    const counts = new Counts();
    this.#open.forEach(({ target }) => counts.add(target.toString()));
    return counts;
  }

  /** How many lead to another relay, and how many come from one. */
  forwarded(): Record<ForwardDirection, number> {
    const count = (as: ForwardMark['as']): number => this.all().filter(({ forwarded }) => forwarded?.as === as).length;
    return { out: count('entry'), in: count('exit') };
  }

  get size(): number {
    return this.#open.size;
  }

  /** Ends the one of its class that holds the most bytes: who takes what it is sent pays for nobody who does not. */
  endLargest(limitClass: LimitClass, reason: CircuitEnd): void {
    const own = this.all().filter((circuit) => circuit.class === limitClass && circuit.bufferedBytes > 0);
    own.reduce<Circuit | undefined>((most, circuit) => (most !== undefined && most.bufferedBytes >= circuit.bufferedBytes ? most : circuit), undefined)?.end(reason);
  }

  endAll(reason: CircuitEnd): void {
    this.all().forEach((circuit) => circuit.end(reason));
  }

  /** Resolves when no circuit is open, or when `signal` aborts. */
  async whenEmpty(signal: AbortSignal): Promise<void> {
    if (this.#open.size === 0 || signal.aborted) {
      return;
    }
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #ended(circuit: Circuit, reason: CircuitEnd): void {
    this.#open.delete(circuit.id);
    this.#onEnd(circuit, reason);
    if (this.#open.size === 0) {
      [...this.#waiting].forEach((done) => done());
    }
  }
}
