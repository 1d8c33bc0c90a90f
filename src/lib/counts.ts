/** How many there are of each key; a key at zero is not kept. */
export class Counts {
  readonly #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** The highest count among `keys`; 0 for none. */
  highest(keys: readonly string[]): number {
    return keys.reduce((most, key) => Math.max(most, this.of(key)), 0);
  }

  add(...keys: string[]): void {
    keys.forEach((key) => this.#counts.set(key, this.of(key) + 1));
  }

  remove(...keys: string[]): void {
    for (const key of keys) {
      const left = this.of(key) - 1;
      if (left > 0) this.#counts.set(key, left);
      else this.#counts.delete(key);
    }
  }

  get size(): number {
    return this.#counts.size;
  }
}
