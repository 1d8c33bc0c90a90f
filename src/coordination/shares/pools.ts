import type { HoldClaim, RateClaim } from '../../lib/cluster/relay-cluster.ts';
import { Lease } from './lease.ts';
import { Share } from './share.ts';

/** Keys of which this relay has something: far more than it has room for reservations and circuits. One more is refused, or another's tokens are forgotten. */
const MAX_KEYS = 1 << 17;

/** The keys of which this relay has something, or of which somebody waits for something. */
export class Pools {
  readonly #shares = new Map<string, Share>();
  readonly #leases = new Map<string, Lease>();
  readonly #ownerOf: (key: string) => string;

  constructor(ownerOf: (key: string) => string) {
    this.#ownerOf = ownerOf;
  }

  /** Keys of places. */
  get size(): number {
    return this.#shares.size;
  }

  share(key: string): Share | undefined {
    return this.#shares.get(key);
  }

  shares(): IterableIterator<Share> {
    return this.#shares.values();
  }

  leases(): IterableIterator<Lease> {
    return this.#leases.values();
  }

  /** So many keys of places may be added. */
  get room(): number {
    return MAX_KEYS - this.#shares.size;
  }

  shareFor({ key, maximum }: Pick<HoldClaim, 'key' | 'maximum'>): Share {
    let share = this.#shares.get(key);
    if (share === undefined) {
      share = new Share(key, this.#ownerOf(key), maximum);
      this.#shares.set(key, share);
    }
    share.maximum = maximum;
    return share;
  }

  leaseFor({ key, rate }: RateClaim): Lease {
    let lease = this.#leases.get(key);
    if (lease === undefined) {
      this.#makeRoom();
      lease = new Lease(key, this.#ownerOf(key), rate);
      this.#leases.set(key, lease);
    }
    lease.rate = rate;
    return lease;
  }

  /** Forgets a key of which there is nothing. */
  forget(pool: Share | Lease, nowMs: number): void {
    if (pool instanceof Share) {
      if (pool.isEmpty && this.#shares.get(pool.key) === pool) this.#shares.delete(pool.key);
    } else if (pool.isEmpty(nowMs) && this.#leases.get(pool.key) === pool) {
      this.#leases.delete(pool.key);
    }
  }

  clear(): void {
    this.#shares.clear();
    this.#leases.clear();
  }

  /** Tokens that were fetched and not spent are lost with the oldest. */
  #makeRoom(): void {
    const oldest = this.#leases.values().next();
    if (this.#leases.size >= MAX_KEYS && !oldest.done && oldest.value.isQuiet) this.#leases.delete(oldest.value.key);
  }
}
