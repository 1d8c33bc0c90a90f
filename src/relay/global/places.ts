import type { ClusterPermit, HoldClaim } from '../../lib/cluster/relay-cluster.ts';

/** How a reservation's places over the cluster change when it is granted or renewed. */
export interface PlacesChange {
  /** What was newly taken. */
  readonly permit: ClusterPermit | undefined;
  readonly taken: readonly HoldClaim[];
  /** The keys of all that it takes up from now on; what it has beside them is given back. */
  readonly needed: ReadonlySet<string>;
}

/** The places over the cluster that one reservation takes up, from its grant until its end. */
export class Places {
  readonly #permits = new Map<string, ClusterPermit>();

  has(key: string): boolean {
    return this.#permits.has(key);
  }

  change({ permit, taken, needed }: PlacesChange): void {
    if (permit !== undefined) {
      taken.forEach(({ key }) => this.#permits.set(key, permit));
    }
    for (const [key, held] of this.#permits) {
      if (needed.has(key)) continue;
      this.#permits.delete(key);
      held.releaseOnly([key]);
    }
  }

  /** May be repeated. */
  release(): void {
    const permits = new Set(this.#permits.values());
    this.#permits.clear();
    permits.forEach((permit) => permit.release());
  }
}
