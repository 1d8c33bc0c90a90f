import type { PeerId } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import type { Grant, MembershipEnd, TokenProblem, TokenUse, TokenVerdict } from '../lib/membership/verifier.ts';
import type { Bearers } from './bearers.ts';
import type { BearerToken } from './claims.ts';
import type { TokenContent } from './content.ts';
import { Revocations } from './revocations.ts';
import type { RevocationsOptions } from './revocations.ts';
import { sealedBy } from './signature.ts';
import { toleranceMs } from './token.ts';
import { VerifiedTokens } from './verified-tokens.ts';

export interface MembersOptions extends Omit<RevocationsOptions, 'isSealed'> {
  /** The authority's public key, 32 bytes. */
  readonly key: Uint8Array;
  readonly bearers: Bearers;
  readonly clock: Pick<Clock, 'now' | 'wall'>;
  /** A grant is over because another peer has taken the last place of its token. */
  readonly onTooLate: () => void;
}

/** Who is a member by the word of one authority. */
export class Members {
  readonly revocations: Revocations;
  readonly #o: MembersOptions;
  readonly #tokens: VerifiedTokens;
  /** What was given: a grant of another authority is over. */
  readonly #grants = new WeakSet<Grant>();
  /** Those by a bearer token that count: they are over when others were the first, here or elsewhere. */
  readonly #claimed = new WeakSet<Grant>();

  constructor(options: MembersOptions) {
    const isSealed = sealedBy(options.key);
    this.#o = options;
    this.#tokens = new VerifiedTokens(options.realm, isSealed, options.clock);
    this.revocations = new Revocations({ ...options, isSealed });
    this.revocations.load();
  }

  verify(token: Uint8Array, peer: PeerId, use: TokenUse): TokenVerdict {
    const content = this.#tokens.open(token);
    if (typeof content === 'string') return { ok: false, problem: content };
    const problem = this.#problemOf(content, peer, use);
    return problem === undefined ? { ok: true, grant: this.#grant(content, peer) } : { ok: false, problem };
  }

  grantElsewhere(tokenId: string, peer: string): Grant {
    const grant: Grant = { tokenId, peer, expiresAtWall: Infinity, limits: {}, claim: () => {} };
    this.#grants.add(grant);
    return grant;
  }

  endOf(grant: Grant): MembershipEnd | undefined {
    const { tokenId, peer, expiresAtWall } = grant;
    if (this.#o.clock.wall() >= expiresAtWall) return 'token expired';
    if (!this.#grants.has(grant) || this.revocations.hasToken(tokenId) || this.revocations.hasPeer(peer)) return 'revoked';
    return this.#claimed.has(grant) && !this.#o.bearers.has(tokenId, peer) ? 'token used up' : undefined;
  }

  #problemOf(content: TokenContent, peer: PeerId, use: TokenUse): TokenProblem | undefined {
    const now = this.#o.clock.wall();
    const tolerance = toleranceMs(content);
    if (now < content.notBeforeSeconds * 1000 - tolerance) return 'token not yet valid';
    if (now >= content.expiresSeconds * 1000 + tolerance) return 'token expired';
    if (content.peer !== undefined && !content.peer.equals(peer)) return 'token wrong peer';
    if (this.revocations.hasToken(content.id) || this.revocations.hasPeer(peer.toString())) return 'token revoked';
    if (!content.uses.includes(use)) return 'token use';
    const bearer = bearerOf(content);
    return bearer === undefined || this.#o.bearers.hasRoom(bearer, peer.toString()) ? undefined : 'token used up';
  }

  #grant(content: TokenContent, peerId: PeerId): Grant {
    const peer = peerId.toString();
    const bearer = bearerOf(content);
    const claim = (): void => {
      if (bearer === undefined) return;
      this.#claimed.add(grant);
      // Not within the call: who claims is in the middle of letting the peer in.
      if (!this.#o.bearers.claim(bearer, peer)) queueMicrotask(this.#o.onTooLate);
    };
    const grant: Grant = { tokenId: content.id, peer, expiresAtWall: endOf(content), limits: content.limits, claim };
    this.#grants.add(grant);
    return grant;
  }
}

/** Unix milliseconds. */
function endOf(content: TokenContent): number {
  return content.expiresSeconds * 1000 + toleranceMs(content);
}

function bearerOf(content: TokenContent): BearerToken | undefined {
  return content.maxPeers === undefined ? undefined : { id: content.id, maxPeers: content.maxPeers, expiresAtWall: endOf(content) };
}
