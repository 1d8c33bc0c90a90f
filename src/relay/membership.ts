import type { PeerId } from '@libp2p/interface';
import type { RealmConfig } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import type { MembershipAnswer } from '../lib/circuit/messages.ts';
import type { Grant, MembershipEnd, TokenProblem, TokenUse, TokenVerdict, TokenVerifier } from '../lib/membership/verifier.ts';
import { TokenBuckets } from '../lib/token-bucket.ts';
import type { LimitClass } from './classes.ts';
import { Refused } from './refusal.ts';

/** As what a peer is served, and by what. */
export interface Standing {
  readonly class: LimitClass;
  /** Of a member by token. */
  readonly grant?: Grant;
  /** Why the token that the peer presented does not count. */
  readonly problem?: TokenProblem;
}

export interface MembershipOptions {
  realm: Pick<RealmConfig, 'name' | 'members' | 'authority'>;
  verifier: TokenVerifier;
  /** Serves anyone. */
  open: boolean;
  /** The node's own check peers; the set is theirs to change. */
  internal: ReadonlySet<string>;
  clock: Clock;
}

/** A reservation is told in whole seconds: a token that ends within one is of no use any more. */
const LEAST_LEFT_MS = 1_000;

/** Each token that nobody has signed costs the check of a signature: a peer that shows more of them is not looked at before a while has passed. */
const FORGERIES = { count: 20, perMs: 60_000 };

/** Who belongs to which class: by its id, or by a token of the realm's authority. */
export class Membership {
  readonly #o: MembershipOptions;
  readonly #members: ReadonlySet<string>;
  readonly #forgeries: TokenBuckets;

  constructor(options: MembershipOptions) {
    this.#o = options;
    this.#members = new Set(options.realm.members);
    this.#forgeries = new TokenBuckets(FORGERIES, options.clock);
  }

  /** Whether anybody can be a member here. */
  get servesMembers(): boolean {
    return this.#members.size > 0 || this.#o.realm.authority !== undefined;
  }

  get realmName(): string | undefined {
    return this.#o.realm.name;
  }

  /** The standing of a peer that presents nothing, whether or not it may use anything. */
  poolOf(peer: PeerId): LimitClass {
    const id = peer.toString();
    if (this.#o.internal.has(id)) {
      return 'internal';
    }
    return this.#members.has(id) && !this.#o.verifier.isRevokedPeer(peer) ? 'member' : 'public';
  }

  /** A relay that knows no authority takes a token for what it does not know, as a standard one does. */
  standingOf(peer: PeerId, use: TokenUse, token: Uint8Array | undefined): Standing {
    const pool = this.poolOf(peer);
    if (token === undefined || this.#o.realm.authority === undefined || pool === 'internal') {
      return { class: pool };
    }
    const verdict = this.#verify(token, peer, use);
    if (!verdict.ok) {
      return { class: pool, problem: verdict.problem };
    }
    const isSpent = verdict.grant.expiresAtWall - this.#o.clock.wall() < LEAST_LEFT_MS;
    return isSpent ? { class: pool, problem: 'token expired' } : { class: 'member', grant: verdict.grant };
  }

  /** Of a member by a token that another relay of the cluster has looked at. */
  standingElsewhere(peer: PeerId, tokenId: string): { readonly class: 'member'; readonly grant: Grant } {
    return { class: 'member', grant: this.#o.verifier.grantElsewhere(tokenId, peer.toString()) };
  }

  #verify(token: Uint8Array, peer: PeerId, use: TokenUse): TokenVerdict {
    const id = peer.toString();
    if (this.#forgeries.waitMs(id) > 0) {
      return { ok: false, problem: 'token signature' };
    }
    const verdict = this.#o.verifier.verify(token, peer, use);
    if (!verdict.ok && verdict.problem === 'token signature') this.#forgeries.tryTake(id);
    return verdict;
  }

  /** @throws Refused `members only`, or what is wrong with the token, for a stranger where the relay serves members only */
  assertServed({ class: limitClass, problem }: Standing): void {
    if (limitClass === 'public' && !this.#o.open) {
      throw new Refused(problem ?? 'members only');
    }
  }

  /** @throws Refused when it has come to its end while something was waited for */
  assertLasts(peer: PeerId, standing: Standing): void {
    const end = this.endOf(peer, standing);
    if (end !== undefined) {
      throw new Refused(end === 'revoked' ? 'token revoked' : end);
    }
  }

  /** Whether what made `peer` a member has come to its end. */
  endOf(peer: PeerId, { class: limitClass, grant }: Standing): MembershipEnd | undefined {
    const { verifier, clock } = this.#o;
    if (grant === undefined) {
      return limitClass === 'member' && verifier.isRevokedPeer(peer) ? 'revoked' : undefined;
    }
    if (grant.expiresAtWall <= clock.wall()) {
      return 'token expired';
    }
    return verifier.endOf(grant);
  }
}

/** What a peer that presented a token is told of it. */
export function membershipAnswer({ class: limitClass, grant, problem }: Standing): MembershipAnswer | undefined {
  return grant === undefined && problem === undefined ? undefined : { class: limitClass, ...(problem === undefined ? {} : { problem }) };
}
