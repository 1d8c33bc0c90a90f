import type { Stream } from '@libp2p/interface';
import type { Clock } from '../../lib/clock.ts';
import { RelaydError } from '../../lib/errors.ts';
import { TokenBuckets } from '../../lib/token-bucket.ts';

/** Handshakes of one peer at a time: one, and one that follows a lost connection. */
const MAX_PER_PEER = 2;

/** A relay that comes and goes needs one every other second; in ten seconds so many. */
const PER_PEER = { count: 10, perMs: 10_000 };

/** Handshakes of all peers at a time: more than a cluster has relays that are not known yet. */
const MAX_IN_ALL = 64;

interface Visit {
  readonly peer: string;
  readonly stream: Stream;
}

/**
 * Bounds the handshakes that others began. Whoever comes when there are too many takes the place of the one that has taken longest: a relay needs less
 * than two round trips, so that it comes through all the same.
 */
export class Strangers {
  readonly #visits = new Set<Visit>();
  readonly #rates: TokenBuckets;

  constructor(clock: Clock) {
    this.#rates = new TokenBuckets(PER_PEER, clock);
  }

  /** @returns what to call when the handshake is over; `undefined` for one that may not begin */
  enter(peer: string, stream: Stream): (() => void) | undefined {
    const own = [...this.#visits].filter((visit) => visit.peer === peer);
    if (own.length >= MAX_PER_PEER || !this.#rates.tryTake(peer)) {
      return undefined;
    }
    this.#makeRoom();
    const visit = { peer, stream };
    this.#visits.add(visit);
    return () => this.#visits.delete(visit);
  }

  #makeRoom(): void {
    const oldest = this.#visits.values().next();
    if (this.#visits.size >= MAX_IN_ALL && !oldest.done) {
      this.#visits.delete(oldest.value);
      oldest.value.stream.abort(new RelaydError('BUSY', 'too many handshakes'));
    }
  }
}
