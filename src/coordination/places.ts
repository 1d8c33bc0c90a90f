import type { ClusterLimit, ClusterPermit, HoldClaim } from '../lib/cluster/relay-cluster.ts';

interface Place {
  readonly limit: ClusterLimit;
  maximum: number;
  count: number;
}

/** One key of which this relay holds something. */
export interface PlaceRow extends Readonly<Place> {
  readonly key: string;
}

/**
 * The places that this relay holds, of every key, whoever admitted them. It is what decides when the store is away, and what the store is told
 * afterwards; there are as many as reservations and circuits, whose numbers local limits bound.
 */
export class Places {
  readonly #places = new Map<string, Place>();
  readonly #give: (keys: readonly string[]) => void;
  /** The number of the next {@link restated}: a place belongs to the one before which it was taken. */
  #round = 1;
  #toldUpTo = 0;
  /** How many of each key belong to a {@link restated} that has not been. */
  readonly #untold = new Map<string, number>();

  /** @param give is told of places that the store has counted and that are free again */
  constructor(give: (keys: readonly string[]) => void) {
    this.#give = give;
  }

  of(key: string): number {
    return this.#places.get(key)?.count ?? 0;
  }

  rows(): PlaceRow[] {
    return [...this.#places].map(([key, place]) => ({ key, ...place }));
  }

  /** @param isCounted the store has counted them */
  take(holds: readonly HoldClaim[], isCounted: boolean): ClusterPermit {
    const round = isCounted ? 0 : this.#round;
    holds.forEach((hold) => this.#add(hold));
    if (!isCounted) holds.forEach(({ key }) => this.#moveUntold(key, 1));
    const left = new Set(holds.map(({ key }) => key));
    const releaseOnly = (keys: readonly string[]): void => {
      const given = keys.filter((key) => left.delete(key));
      given.forEach((key) => this.#remove(key));
      // What the store has never heard of is not given back to it.
      if (round > this.#toldUpTo) given.forEach((key) => this.#moveUntold(key, -1));
      else if (given.length > 0) this.#give(given);
    };
    return { releaseOnly, release: () => releaseOnly([...left]) };
  }

  /**
   * All that is held now, for the store to be told: from here on it counts what was admitted without it. Whatever is given back after this call is
   * told after it; should the store not hear this, it is to be told again before anything is taken there.
   */
  restated(): Map<string, number> {
    this.untold();
    return new Map([...this.#places].map(([key, { count }]) => [key, count]));
  }

  /** What has been taken since {@link restated} without the store, a key for each place, for the store to be told of these alone: from here on it counts them too. */
  untold(): string[] {
    this.#toldUpTo = this.#round++;
    const keys = [...this.#untold].flatMap(([key, count]) => Array.from({ length: count }, () => key));
    this.#untold.clear();
    return keys;
  }

  #moveUntold(key: string, by: number): void {
    const count = (this.#untold.get(key) ?? 0) + by;
    if (count === 0) this.#untold.delete(key);
    else this.#untold.set(key, count);
  }

  #add({ key, limit, maximum }: HoldClaim): void {
    const place = this.#places.get(key);
    if (place === undefined) this.#places.set(key, { limit, maximum, count: 1 });
    else Object.assign(place, { maximum, count: place.count + 1 });
  }

  #remove(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    place.count--;
    if (place.count === 0) this.#places.delete(key);
  }
}
