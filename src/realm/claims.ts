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
  /** The last in the order of all; `undefined`: it is to be looked for. */
  last: readonly [string, Mark] | undefined;
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

  /**
   * When a claim is made that is made now: after all that are known of the token, so that it displaces none of them anywhere, however far the clock is behind.
   *
   * @param nowWall Unix milliseconds; 0 where no time is kept
   */
  timeFor({ id, expiresAtWall }: BearerToken, nowWall: number): number {
    const used = this.#used.get(id);
    const last = (used === undefined ? undefined : lastOf(used)?.[1].claimedAtWall) ?? 0;
    if (last === 0) return nowWall;
    // What another relay told may be as wrong as its clock: no claim is later than its token.
    return Math.min(Math.max(nowWall, last + 1), expiresAtWall);
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

  /** @returns the peers that had a place before and have none any more */
  add(claim: BearerClaim, isOwn: boolean): readonly string[] {
    const used = this.#usedOf(claim);
    // By what the claim says of its token there may be fewer places than were thought.
    const dropped = this.#trim(used);
    if (!isAmongFirst(used, claim)) return dropped;
    const { peer, claimedAtWall } = claim;
    if (!used.marks.has(peer)) this.#count++;
    this.#revision++;
    used.marks.set(peer, { claimedAtWall, revision: this.#revision, isOwn });
    used.last = undefined;
    return [...dropped, ...this.#trim(used)].filter((other) => other !== peer);
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
      const used = { expiresAtWall, maxPeers, marks: new Map<string, Mark>(), last: undefined };
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
  #trim(used: Used): string[] {
    const dropped: string[] = [];
    while (used.marks.size > placesOf(used)) {
      const [peer] = lastOf(used) as [string, Mark];
      used.marks.delete(peer);
      used.last = undefined;
      this.#count--;
      dropped.push(peer);
    }
    return dropped;
  }
}

/** Whether a claim has a place, and changes anything: one that comes too late costs no look at all the others. */
function isAmongFirst(used: Used, { peer, claimedAtWall }: BearerClaim): boolean {
  const before = used.marks.get(peer);
  if (before !== undefined) return claimedAtWall < before.claimedAtWall;
  const last = used.marks.size < placesOf(used) ? undefined : lastOf(used);
  return last === undefined || isBefore([peer, { claimedAtWall }], last);
}

function placesOf({ maxPeers = MAX_BEARERS }: Used): number {
  return maxPeers;
}

function lastOf(used: Used): readonly [string, Mark] | undefined {
  if (used.last === undefined) {
    for (const mark of used.marks) if (used.last === undefined || isBefore(used.last, mark)) used.last = mark;
  }
  return used.last;
}

/** One order for all: where two were let in at the same time, and where nobody knows when, the ids decide. */
function isBefore([peer, mark]: readonly [string, Pick<Mark, 'claimedAtWall'>], [otherPeer, otherMark]: readonly [string, Mark]): boolean {
  return mark.claimedAtWall === otherMark.claimedAtWall ? peer < otherPeer : mark.claimedAtWall < otherMark.claimedAtWall;
}
