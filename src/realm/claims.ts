import type { BearerClaim } from '../lib/membership/bearer-claims.ts';
import { MAX_BEARERS } from './content.ts';

/** What of a bearer token matters here. */
export interface BearerToken {
  readonly id: string;
  readonly maxPeers: number;
  /** Unix milliseconds: it may be forgotten then. */
  readonly expiresAtWall: number;
}

/** A claim, and when this node came to know it. */
export interface KnownClaim extends BearerClaim {
  readonly revision: number;
  /** Made here, since this node was started. */
  readonly isOwn: boolean;
}

interface Mark {
  readonly claimedAtWall: number;
  readonly revision: number;
  readonly isOwn: boolean;
}

interface Used {
  expiresAtWall: number;
  /** `undefined`: the token has not been seen. */
  maxPeers: number | undefined;
  readonly marks: Map<string, Mark>;
}

/**
 * Which peers have used which bearer token: of each token the first ones, as many as it is for. What two nodes know is put together by {@link add}, in any order and any
 * number of times: the first of all are among the first of each part, so that those who are left out of a part are never missed, and all come to the same.
 */
export class Claims {
  #used = new Map<string, Used>();
  #count = 0;
  #revision = 0;

  get count(): number {
    return this.#count;
  }

  get revision(): number {
    return this.#revision;
  }

  has(token: string, peer: string): boolean {
    return this.#used.get(token)?.marks.has(peer) === true;
  }

  /** Of one token. */
  usersOf(token: string): number {
    return this.#used.get(token)?.marks.size ?? 0;
  }

  /** Takes what the token itself says, which is signed, over what was told of it. */
  settle({ id, maxPeers, expiresAtWall }: BearerToken): void {
    const used = this.#used.get(id);
    if (used === undefined || (used.maxPeers === maxPeers && used.expiresAtWall === expiresAtWall)) return;
    this.#revision++;
    used.maxPeers = maxPeers;
    used.expiresAtWall = expiresAtWall;
    this.#trim(used);
  }

  /** @returns the peers that had a place before and have none any more; the peer of the claim itself is none of them */
  add(claim: BearerClaim, isOwn: boolean): readonly string[] {
    const used = this.#usedOf(claim);
    const before = used.marks.get(claim.peer);
    const isNews = before === undefined || claim.claimedAtWall < before.claimedAtWall;
    if (isNews) used.marks.set(claim.peer, { claimedAtWall: claim.claimedAtWall, revision: this.#revision + 1, isOwn });
    if (before === undefined) this.#count++;
    const dropped = this.#trim(used);
    // One that comes too late changes nothing.
    if (isNews && used.marks.has(claim.peer)) this.#revision++;
    return before === undefined ? dropped.filter((peer) => peer !== claim.peer) : dropped;
  }

  /** Forgets the tokens that have ended. */
  forgetEnded(nowWall: number): void {
    this.#used = new Map([...this.#used].filter(([, { expiresAtWall }]) => expiresAtWall > nowWall));
    this.#count = [...this.#used.values()].reduce((sum, { marks }) => sum + marks.size, 0);
  }

  *all(): Generator<KnownClaim> {
    for (const [token, { expiresAtWall, maxPeers, marks }] of this.#used) {
      for (const [peer, mark] of marks) yield { token, peer, expiresAtWall, maxPeers, ...mark };
    }
  }

  #usedOf({ token, expiresAtWall, maxPeers }: BearerClaim): Used {
    const known = this.#used.get(token);
    if (known === undefined) {
      const used = { expiresAtWall, maxPeers, marks: new Map<string, Mark>() };
      this.#used.set(token, used);
      return used;
    }
    known.expiresAtWall = Math.max(known.expiresAtWall, expiresAtWall);
    if (known.maxPeers === undefined && maxPeers !== undefined) {
      this.#revision++;
      known.maxPeers = maxPeers;
    }
    return known;
  }

  /** Leaves the first ones. */
  #trim({ maxPeers = MAX_BEARERS, marks }: Used): string[] {
    const dropped: string[] = [];
    while (marks.size > maxPeers) {
      const [last] = [...marks].reduce((latest, mark) => (isBefore(latest, mark) ? mark : latest));
      marks.delete(last);
      this.#count--;
      dropped.push(last);
    }
    return dropped;
  }
}

/** One order for all: where two were let in at the same time, and where nobody knows when, the ids decide. */
function isBefore([peer, mark]: readonly [string, Mark], [otherPeer, otherMark]: readonly [string, Mark]): boolean {
  return mark.claimedAtWall === otherMark.claimedAtWall ? peer < otherPeer : mark.claimedAtWall < otherMark.claimedAtWall;
}
