import { Counts } from '../lib/counts.ts';
import { Circuit } from './circuit.ts';
import type { CircuitEnd, CircuitOptions } from './circuit.ts';

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

  get size(): number {
    return this.#open.size;
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
