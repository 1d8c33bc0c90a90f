import type { Issued, IssuedToken, RevokedPeer } from './issued.ts';

/** What `relayd realm list` shows. */
export interface RealmListing {
  readonly tokens: readonly TokenRow[];
  readonly revokedPeers: readonly RevokedPeer[];
}

type TokenState = 'valid' | 'expired' | 'revoked';

export interface TokenRow extends Omit<IssuedToken, 'revokedAt'> {
  readonly state: TokenState;
}

export function listingOf({ tokens, peers }: Issued, nowWall: number): RealmListing {
  const revokedPeers = new Set(peers.map(({ peer }) => peer));
  const stateOf = ({ expiresAt, revokedAt, peer }: IssuedToken): TokenState => {
    if (revokedAt !== undefined || (peer !== undefined && revokedPeers.has(peer))) return 'revoked';
    return Date.parse(expiresAt) <= nowWall ? 'expired' : 'valid';
  };
  return { tokens: tokens.map(({ revokedAt: _, ...token }) => ({ ...token, state: stateOf({ ...token, revokedAt: _ }) })), revokedPeers: peers };
}
