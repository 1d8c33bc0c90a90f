import type { Clock } from '../lib/clock.ts';
import { TokenBucket } from '../lib/token-bucket.ts';

/** A burst of a quarter of a second keeps the shaped stream even and a slow circuit from stuttering. */
const BURST_MS = 250;

/** One circuit's share in a peer's bucket. */
export interface PeerShare {
  /** None where the rate is unlimited. */
  readonly bucket: TokenBucket | undefined;
  /** To be called once. */
  readonly leave: () => void;
}

interface Entry {
  readonly bucket: TokenBucket;
  users: number;
}

/**
 * Byte rates of peers over all of their circuits: one bucket a peer and rate, for as long as a circuit uses it and until it is full again, so
 * that nobody gets another burst by opening one circuit after the other.
 */
export class PeerRates {
  readonly #clock: Clock;
  readonly #used = new Map<string, Entry>();
  /** Without a circuit, and not seen to be full: those of the last half second, for a full one is forgotten when the next circuit comes. */
  readonly #filling = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  join(peer: string, bytesPerSecond: number): PeerShare {
    const key = `${peer} ${bytesPerSecond}`;
    this.#forgetFull();
    const entry = this.#used.get(key) ?? this.#filling.get(key) ?? this.#make(bytesPerSecond);
    if (entry === undefined) {
      return { bucket: undefined, leave: () => undefined };
    }
    this.#filling.delete(key);
    this.#used.set(key, entry);
    entry.users++;
    return { bucket: entry.bucket, leave: () => this.#leave(key, entry) };
  }

  #leave(key: string, entry: Entry): void {
    if (--entry.users > 0) return;
    this.#used.delete(key);
    if (!entry.bucket.full) this.#filling.set(key, entry);
  }

  #forgetFull(): void {
    for (const [key, { bucket }] of this.#filling) {
      if (bucket.full) this.#filling.delete(key);
    }
  }

  #make(bytesPerSecond: number): Entry | undefined {
    const bucket = byteBucket(bytesPerSecond, this.#clock);
    return bucket === undefined ? undefined : { bucket, users: 0 };
  }
}

export function byteBucket(bytesPerSecond: number, clock: Clock): TokenBucket | undefined {
  return Number.isFinite(bytesPerSecond) ? new TokenBucket({ count: (bytesPerSecond * BURST_MS) / 1000, perMs: BURST_MS }, clock) : undefined;
}
