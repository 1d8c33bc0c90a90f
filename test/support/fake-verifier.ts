import type { PeerId } from '@libp2p/interface';
import type { Grant, MembershipEnd, TokenLimits, TokenProblem, TokenUse, TokenVerdict, TokenVerifier } from '../../src/lib/membership/verifier.ts';

interface IssueOptions {
  /** Unix milliseconds. */
  readonly expiresAtWall?: number;
  readonly limits?: TokenLimits;
  readonly problem?: TokenProblem;
}

/** A realm of which a test says what each token is worth. */
export class FakeVerifier implements TokenVerifier {
  readonly revokedPeers = new Set<string>();
  readonly revokedTokens = new Set<string>();
  /** Tokens whose places others turn out to have. */
  readonly usedUp = new Set<string>();
  /** Every token that was shown: its name, the peer, the use. */
  readonly shown: [token: string, peer: string, use: TokenUse][] = [];
  /** Every claim, by the names of tokens. */
  readonly claimed: string[] = [];
  readonly listeners = new Set<() => void>();
  readonly #issued = new Map<string, IssueOptions>();
  readonly #grants = new WeakSet<Grant>();

  /** The bytes of a token named `name`. */
  issue(name: string, options: IssueOptions = {}): Uint8Array {
    this.#issued.set(name, options);
    return Buffer.from(name);
  }

  verify(token: Uint8Array, peer: PeerId, use: TokenUse): TokenVerdict {
    const name = Buffer.from(token).toString();
    this.shown.push([name, peer.toString(), use]);
    const issued = this.#issued.get(name) ?? { problem: 'token malformed' };
    const problem = this.revokedTokens.has(name) || this.isRevokedPeer(peer) ? 'token revoked' : issued.problem;
    return problem === undefined ? { ok: true, grant: this.#grant(name, peer, issued) } : { ok: false, problem };
  }

  isRevokedPeer(peer: PeerId): boolean {
    return this.revokedPeers.has(peer.toString());
  }

  grantElsewhere(tokenId: string, peer: string): Grant {
    return this.#granted({ tokenId, peer, expiresAtWall: Infinity, limits: {}, claim: () => {} });
  }

  /** What it has not given is over. */
  endOf(grant: Grant): MembershipEnd | undefined {
    const { tokenId, peer } = grant;
    if (!this.#grants.has(grant) || this.revokedTokens.has(tokenId) || this.revokedPeers.has(peer)) return 'revoked';
    return this.usedUp.has(tokenId) ? 'token used up' : undefined;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  revoke(...what: (string | PeerId)[]): void {
    for (const one of what) {
      if (typeof one === 'string') this.revokedTokens.add(one);
      else this.revokedPeers.add(one.toString());
    }
    this.#tell();
  }

  displace(token: string): void {
    this.usedUp.add(token);
    this.#tell();
  }

  #tell(): void {
    this.listeners.forEach((listener) => listener());
  }

  #grant(name: string, peer: PeerId, { expiresAtWall = Infinity, limits = {} }: IssueOptions): Grant {
    return this.#granted({ tokenId: name, peer: peer.toString(), expiresAtWall, limits, claim: () => this.claimed.push(name) });
  }

  #granted(grant: Grant): Grant {
    this.#grants.add(grant);
    return grant;
  }
}

/** Peers by their ids are the only members. */
export function membersOnly(members: readonly string[]): { name: undefined; members: readonly string[]; authority: undefined } {
  return { name: undefined, members, authority: undefined };
}
