/**
 * The bytes that circuits of one limit class hold between sender and receiver, against `memory.total`.
 * While it is full no circuit is admitted and no sender gets more window credit; what can still come is the window that each
 * sender already had (`memory.perDirection` a direction).
 */
export class BufferLedger {
  #maximum: number;
  #held = 0;
  readonly #waiting = new Set<() => void>();

  constructor(maximumBytes: number) {
    this.#maximum = maximumBytes;
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
    if (deltaBytes < 0) {
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

  #wake(): void {
    if (this.full || this.#waiting.size === 0) {
      return;
    }
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    waiting.forEach((wake) => wake());
  }
}
