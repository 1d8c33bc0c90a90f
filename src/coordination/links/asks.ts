import { RelaydError, toError } from '../../lib/errors.ts';

/** Questions on their way: enough for every admission of a busy relay, and each costs the other side a place too. */
export const MAX_ASKS = 1_024;

interface Waiting {
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (error: RelaydError) => void;
}

/** The questions of one link that wait for their answers. */
export class Asks {
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Sends a question under an id of its own and waits for what comes under it.
   *
   * @throws RelaydError BUSY when too many wait; CLOSED when `signal` aborts or the link ends; BAD_REQUEST when it is refused; what `send` throws
   */
  wait(signal: AbortSignal, send: (id: number) => void): Promise<Uint8Array> {
    if (signal.aborted) {
      return Promise.reject(givenUp(signal));
    }
    if (this.#waiting.size >= MAX_ASKS) {
      return Promise.reject(new RelaydError('BUSY', `${MAX_ASKS} questions wait for the other relay's answers`));
    }
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.#take(id)?.reject(givenUp(signal));
      const done = (): void => signal.removeEventListener('abort', onAbort);
      const waiting: Waiting = {
        resolve: (answer) => (done(), resolve(answer)),
        reject: (error) => (done(), reject(error)),
      };
      this.#waiting.set(id, waiting);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        send(id);
      } catch (error) {
        this.#take(id);
        done();
        reject(toError(error));
      }
    });
  }

  /** An answer to a question that was given up meanwhile is dropped. */
  answered(id: number, answer: Uint8Array): void {
    this.#take(id)?.resolve(answer);
  }

  refused(id: number, busy: boolean): void {
    this.#take(id)?.reject(busy ? new RelaydError('BUSY', 'the other relay has too many questions to answer') : new RelaydError('BAD_REQUEST', 'the other relay refuses the question'));
  }

  endAll(error: RelaydError): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    all.forEach(({ reject }) => reject(error));
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

function givenUp(signal: AbortSignal): RelaydError {
  return new RelaydError('CLOSED', 'the question was given up', { cause: signal.reason });
}
