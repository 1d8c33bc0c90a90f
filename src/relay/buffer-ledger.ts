/**
 * The bytes that circuits of one limit class hold between sender and receiver, against `memory.total`. While it is full no
 * circuit is admitted. Windows that senders already have may bring more all the same: then whoever owns the circuits is asked to end
 * some, until what is held is within the bound again.
 */
export class BufferLedger {
  #maximum: number;
  readonly #relieve: () => void;
  #held = 0;
  readonly #waiting = new Set<() => void>();

  /** @param relieve ends the circuit that holds the most; it is called again while that was not enough */
  constructor(maximumBytes: number, relieve: () => void = () => undefined) {
    this.#maximum = maximumBytes;
    this.#relieve = relieve;
  }

  get held(): number {
    return this.#held;
  }

  get maximum(): number {
    return this.#maximum;
  }

  get full(): boolean {
    return this.#held >= this.#maximum;
  }

  set maximum(bytes: number) {
    this.#maximum = bytes;
    this.#wake();
  }

  change(deltaBytes: number): void {
    this.#held += deltaBytes;
    if (deltaBytes > 0) {
      this.#fit();
    } else {
      this.#wake();
    }
  }

  /** Calls `wake` once when there is room again. */
  onRoom(wake: () => void): void {
    this.#waiting.add(wake);
  }

  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }

  #fit(): void {
    while (this.#held > this.#maximum) {
      const before = this.#held;
      this.#relieve();
      if (this.#held >= before) {
        // Nobody is left who holds anything.
        return;
      }
    }
  }

  #wake(): void {
    if (this.full || this.#waiting.size === 0) {
      return;
    }
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    waiting.forEach((wake) => wake());
  }
}
