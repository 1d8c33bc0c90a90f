/** Gaps beyond this many are forgotten, from the far end: what lay there is asked for again. A relay that is far behind asks for all of it anyway. */
const MAX_RANGES = 64;

/** Which of a relay's changes are known here: all up to {@link Coverage.complete}, and some beyond. A set of whole numbers above 0. */
export class Coverage {
  /** Ascending, apart from each other, each (from, to]; none touches what is complete. */
  #later: [from: number, to: number][] = [];
  #complete = 0;

  /** Every change up to and with this one is known. */
  get complete(): number {
    return this.#complete;
  }

  /** The highest that is known. */
  get highest(): number {
    return this.#later.at(-1)?.[1] ?? this.#complete;
  }

  has(sequence: number): boolean {
    return sequence <= this.#complete || this.#later.some(([from, to]) => sequence > from && sequence <= to);
  }

  /** The changes (from, to] are known. */
  add(from: number, to: number): void {
    if (from >= to) return;
    const apart = this.#later.filter(([start, end]) => end < from || start > to);
    const touching = this.#later.filter(([start, end]) => end >= from && start <= to);
    const whole: [number, number] = [Math.min(from, ...touching.map(([start]) => start)), Math.max(to, ...touching.map(([, end]) => end))];
    this.#later = [...apart, whole].sort(([a], [b]) => a - b);
    this.#settle();
  }

  join(other: Coverage): void {
    this.add(0, other.#complete);
    other.#later.forEach(([from, to]) => this.add(from, to));
  }

  #settle(): void {
    for (let first = this.#later[0]; first !== undefined && first[0] <= this.#complete; first = this.#later[0]) {
      this.#complete = Math.max(this.#complete, first[1]);
      this.#later.shift();
    }
    this.#later.length = Math.min(this.#later.length, MAX_RANGES);
  }
}
