import type { ClassLimits } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import type { TokenBucket } from '../lib/token-bucket.ts';
import { PeerRates, byteBucket } from './peer-rates.ts';
import type { PeerShare } from './peer-rates.ts';

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

/** The largest piece handed to the receiver's stream at once: small enough that two circuits of a connection take turns. */
const MAX_PIECE_BYTES = 64 * 1024;

/** Rates of members that have their own by their tokens, in bytes per second. */
export interface OwnRates {
  readonly source?: number;
  readonly target?: number;
}

/** The byte rates of one limit class: of each circuit, of each peer over all of its circuits, and of all together. */
export class Bandwidth {
  readonly #limits: ClassLimits['bandwidth'];
  readonly #clock: Clock;
  readonly #total: TokenBucket | undefined;
  readonly #peers: PeerRates;
  readonly #members: PeerRates;

  /** @param members the peers with rates of their own, which hold whatever class their circuits are in */
  constructor(limits: ClassLimits['bandwidth'], clock: Clock, members: PeerRates = new PeerRates(clock)) {
    this.#limits = limits;
    this.#clock = clock;
    this.#total = byteBucket(limits.total, clock);
    this.#peers = new PeerRates(clock);
    this.#members = members;
  }

  /** A peer of another relay's has its rates there, and is not given here. */
  shaperFor(source: string | undefined, target: string | undefined, own: OwnRates = {}): Shaper {
    const shares = [this.#join(source, own.source), this.#join(target, own.target)].filter((share) => share !== undefined);
    const buckets = [byteBucket(this.#limits.perCircuit, this.#clock), this.#total, ...shares.map(({ bucket }) => bucket)].filter((bucket) => bucket !== undefined);
    const pieceBytes = Math.max(1, Math.floor(Math.min(MAX_PIECE_BYTES, ...buckets.map((bucket) => bucket.burst))));
    let held = true;
    return {
      unlimited: buckets.length === 0,
      pieceBytes,
      waitMs: () => buckets.reduce((longest, bucket) => Math.max(longest, bucket.waitMs(0)), 0),
      moved: (bytes) => buckets.forEach((bucket) => bucket.take(bytes)),
      release: () => {
        if (held) shares.forEach(({ leave }) => leave());
        held = false;
      },
    };
  }

  #join(peer: string | undefined, own: number | undefined): PeerShare | undefined {
    if (peer === undefined) return undefined;
    return own === undefined ? this.#peers.join(peer, this.#limits.perPeer) : this.#members.join(peer, own);
  }
}
