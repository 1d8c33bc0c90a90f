import type { ClassLimits } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import { TokenBucket } from '../lib/token-bucket.ts';

/** The byte rates that one circuit is subject to. */
export interface Shaper {
  /** No rate applies. */
  readonly unlimited: boolean;
  /** The most to move at once: no more than the slowest rate's burst, so that a slow circuit is never silent for long. */
  readonly pieceBytes: number;
  /** Milliseconds until more bytes may move; 0 for now. */
  waitMs(): number;
  /** Accounts for bytes that have moved. A debt delays what follows. */
  moved(bytes: number): void;
  /** The circuit is over: its share of the peers' buckets is given back. */
  release(): void;
}

/** A burst of a quarter of a second keeps the shaped stream even and a slow circuit from stuttering. */
const BURST_MS = 250;

/** The largest piece handed to the receiver's stream at once: small enough that two circuits of a connection take turns. */
const MAX_PIECE_BYTES = 64 * 1024;

/** The byte rates of one limit class: of each circuit, of each peer over all of its circuits, and of all together. */
export class Bandwidth {
  readonly #limits: ClassLimits['bandwidth'];
  readonly #clock: Clock;
  readonly #total: TokenBucket | undefined;
  readonly #peers = new Map<string, { bucket: TokenBucket; users: number }>();

  constructor(limits: ClassLimits['bandwidth'], clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#total = this.#bucket(limits.total);
  }

  shaperFor(source: string, target: string): Shaper {
    const own = this.#bucket(this.#limits.perCircuit);
    const peers = [this.#join(source), this.#join(target)];
    const buckets = [own, this.#total, ...peers].filter((bucket) => bucket !== undefined);
    const pieceBytes = Math.max(1, Math.floor(Math.min(MAX_PIECE_BYTES, ...buckets.map((bucket) => bucket.burst))));
    let held = true;
    return {
      unlimited: buckets.length === 0,
      pieceBytes,
      waitMs: () => buckets.reduce((longest, bucket) => Math.max(longest, bucket.waitMs(0)), 0),
      moved: (bytes) => buckets.forEach((bucket) => bucket.take(bytes)),
      release: () => {
        if (held) [source, target].forEach((peer) => this.#leave(peer));
        held = false;
      },
    };
  }

  #bucket(bytesPerSecond: number): TokenBucket | undefined {
    if (!Number.isFinite(bytesPerSecond)) {
      return undefined;
    }
    return new TokenBucket({ count: (bytesPerSecond * BURST_MS) / 1000, perMs: BURST_MS }, this.#clock);
  }

  #join(peer: string): TokenBucket | undefined {
    const bucket = this.#peers.get(peer)?.bucket ?? this.#bucket(this.#limits.perPeer);
    if (bucket !== undefined) {
      this.#peers.set(peer, { bucket, users: (this.#peers.get(peer)?.users ?? 0) + 1 });
    }
    return bucket;
  }

  #leave(peer: string): void {
    const entry = this.#peers.get(peer);
    if (entry !== undefined && --entry.users === 0) {
      this.#peers.delete(peer);
    }
  }
}
