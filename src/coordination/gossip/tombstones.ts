/** A relay that was away for less hears what has ended; one that was away for longer takes the whole list anew. */
const KEEP_MS = 60_000;

/** As many as a minute of 1,600 ends a second at one relay makes. */
const MAX_TOMBSTONES = 100_000;

/** Which of a relay's reservations have ended of late, in the order in which that became known here. */
export class Tombstones {
  readonly #ended = new Map<string, { sequence: number; at: number }>();
  /** Those up to and with this sequence may be missing. */
  #horizon = 0;

  get size(): number {
    return this.#ended.size;
  }

  get horizon(): number {
    return this.#horizon;
  }

  sequenceOf(peer: string): number | undefined {
    return this.#ended.get(peer)?.sequence;
  }

  add(peer: string, sequence: number, now: number): void {
    this.#ended.delete(peer);
    this.#ended.set(peer, { sequence, at: now });
    if (this.#ended.size > MAX_TOMBSTONES) this.#dropOldest();
  }

  delete(peer: string): void {
    this.#ended.delete(peer);
  }

  /** Those up to and with `sequence` are not all here. */
  raiseHorizon(sequence: number): void {
    this.#horizon = Math.max(this.#horizon, sequence);
  }

  forgetOld(now: number): void {
    for (const { at } of this.#ended.values()) {
      if (at + KEEP_MS > now) return;
      this.#dropOldest();
    }
  }

  *since(sequence: number): Generator<{ peer: string; sequence: number }> {
    for (const [peer, ended] of this.#ended) {
      if (ended.sequence > sequence) yield { peer, sequence: ended.sequence };
    }
  }

  #dropOldest(): void {
    for (const [peer, { sequence }] of this.#ended) {
      this.#ended.delete(peer);
      this.raiseHorizon(sequence);
      return;
    }
  }
}
