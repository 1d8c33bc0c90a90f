/** One relay's hold on a peer, as this relay times it. */
export interface Holding {
  readonly sequence: number;
  /** When it was told of, and when it is over: milliseconds of this relay's monotonic clock. */
  readonly toldAt: number;
  readonly expiresAt: number;
}

/** Of one relay: far more than it can have connections. What is above it is not found through the others. */
const MAX_ENTRIES = 4_000_000;

const FIRST_ROOM = 64;
const GROWTH = 1.5;

/**
 * The reservations of one relay, for a million of them: a peer's id, its place in the map, and three numbers outside the heap; no object and no timer
 * an entry. `scripts/bench gossip` says how many bytes that is.
 */
export class ReservationTable {
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  #sequence = new Float64Array(FIRST_ROOM);
  #toldAt = new Float64Array(FIRST_ROOM);
  #expiresAt = new Float64Array(FIRST_ROOM);
  #sweep: MapIterator<[string, number]> | undefined;

  get size(): number {
    return this.#slots.size;
  }

  get(peer: string): Holding | undefined {
    const slot = this.#slots.get(peer);
    return slot === undefined ? undefined : { sequence: this.#sequence[slot] ?? 0, toldAt: this.#toldAt[slot] ?? 0, expiresAt: this.#expiresAt[slot] ?? 0 };
  }

  set(peer: string, { sequence, toldAt, expiresAt }: Holding): void {
    const known = this.#slots.get(peer);
    if (known === undefined && this.#slots.size >= MAX_ENTRIES) return;
    const slot = known ?? this.#take(peer);
    this.#sequence[slot] = sequence;
    this.#toldAt[slot] = toldAt;
    this.#expiresAt[slot] = expiresAt;
  }

  delete(peer: string): void {
    const slot = this.#slots.get(peer);
    if (slot === undefined) return;
    this.#slots.delete(peer);
    this.#free.push(slot);
  }

  clear(): void {
    this.#slots.clear();
    this.#free.length = 0;
    this.#sweep = undefined;
  }

  /** In no order. */
  *since(sequence: number): Generator<{ peer: string; sequence: number }> {
    for (const [peer, slot] of this.#slots) {
      const own = this.#sequence[slot] ?? 0;
      if (own > sequence) yield { peer, sequence: own };
    }
  }

  /** Goes on where it ended last, and drops what is over, among at most `steps` entries: no call takes long, however many there are. */
  sweep(now: number, steps: number): void {
    this.#sweep ??= this.#slots.entries();
    for (let i = 0; i < steps; i++) {
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = undefined;
        return;
      }
      const [peer, slot] = next.value;
      if ((this.#expiresAt[slot] ?? 0) <= now) this.delete(peer);
    }
  }

  #take(peer: string): number {
    const slot = this.#free.pop() ?? this.#slots.size;
    if (slot >= this.#sequence.length) this.#grow();
    this.#slots.set(peer, slot);
    return slot;
  }

  #grow(): void {
    const room = Math.ceil(this.#sequence.length * GROWTH);
    this.#sequence = widened(this.#sequence, room);
    this.#toldAt = widened(this.#toldAt, room);
    this.#expiresAt = widened(this.#expiresAt, room);
  }
}

function widened(old: Float64Array<ArrayBuffer>, room: number): Float64Array<ArrayBuffer> {
  const wide = new Float64Array(room);
  wide.set(old);
  return wide;
}
