import type { Stream } from '@libp2p/interface';
import type { Clock } from '../../lib/clock.ts';
import { RelaydError } from '../../lib/errors.ts';
import { TokenBuckets } from '../../lib/token-bucket.ts';

/** Handshakes of one peer at a time: one, and one that follows a lost connection. */
const MAX_PER_PEER = 2;

/** A relay that comes and goes needs one every other second; in ten seconds so many. */
const PER_PEER = { count: 10, perMs: 10_000 };

/** Handshakes at a time of all peers that are not wanted: more than a cluster has relays that are not known yet. */
const MAX_IN_ALL = 64;

interface Visit {
  readonly peer: string;
  readonly stream: Stream;
}

/**
 * Bounds the handshakes that others began. Relays that are wanted have places of their own, which nobody else can have: ids are shown by the connection.
 * Of the others, whoever comes when there are too many takes the place of the one that has taken longest: a relay that is not known yet needs less than
 * two round trips, and tries again.
 */
export class Strangers {
  /** Of those that are not wanted. */
  readonly #visits = new Set<Visit>();
  /** Not more than there are wanted relays, times what each may have. */
  readonly #wanted = new Set<Visit>();
  readonly #rates: TokenBuckets;
  readonly #isWanted: (peer: string) => boolean;

  constructor(clock: Clock, isWanted: (peer: string) => boolean) {
    this.#rates = new TokenBuckets(PER_PEER, clock);
    this.#isWanted = isWanted;
  }

  /** @returns what to call when the handshake is over; `undefined` for one that may not begin */
  enter(peer: string, stream: Stream): (() => void) | undefined {
    const isWanted = this.#isWanted(peer);
    const visits = isWanted ? this.#wanted : this.#visits;
    const own = [...visits].filter((visit) => visit.peer === peer);
    if (own.length >= MAX_PER_PEER || !this.#rates.tryTake(peer)) {
      return undefined;
    }
    if (!isWanted) this.#makeRoom();
    const visit = { peer, stream };
    visits.add(visit);
    return () => visits.delete(visit);
  }

  #makeRoom(): void {
    const oldest = this.#visits.values().next();
    if (this.#visits.size >= MAX_IN_ALL && !oldest.done) {
      this.#visits.delete(oldest.value);
      oldest.value.stream.abort(new RelaydError('BUSY', 'too many handshakes'));
    }
  }
}
