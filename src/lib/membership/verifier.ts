import type { PeerId } from '@libp2p/interface';

/**
 * What the relay and the tunnels may ask of the realm: whether a token makes a peer a member. The realm's room implements it,
 * `node/` hands it over.
 */
export interface TokenVerifier {
  /**
   * Takes no time to speak of: a token that has been seen is not verified again.
   *
   * @param token the bytes that `peer` presented
   */
  verify(token: Uint8Array, peer: PeerId, use: TokenUse): TokenVerdict;
  /** Whether a peer, whatever makes it a member, has been revoked as such. */
  isRevokedPeer(peer: PeerId): boolean;
  /** What `peer` has by a token that another relay of the cluster has verified, and which expires there. */
  grantElsewhere(tokenId: string, peer: string): Grant;
  /** Why what a token gave is over since it was verified; `undefined` while it is not. */
  endOf(grant: Grant): MembershipEnd | undefined;
  /** Calls `listener` when the answers of {@link isRevokedPeer} and {@link endOf} may have changed. Returns how to end that. */
  onChange(listener: () => void): () => void;
}

/** What a token allows: to hold a reservation, to open circuits, to use the tunnel of a name. */
export type TokenUse = 'reserve' | 'connect' | `tunnel:${string}`;

/** Why a membership ends before its time. `token used up`: others turned out to have been the first peers of a bearer token. */
export type MembershipEnd = 'revoked' | 'token expired' | 'token used up';

export type TokenVerdict = { readonly ok: true; readonly grant: Grant } | { readonly ok: false; readonly problem: TokenProblem };

/** What a peer has by a token. */
export interface Grant {
  readonly tokenId: string;
  /** The peer that presented it, by its id. */
  readonly peer: string;
  /** Unix milliseconds, the tolerance for clocks that differ included. */
  readonly expiresAtWall: number;
  readonly limits: TokenLimits;
  /** Call it when the peer has been let in: a token for a number of bearers counts this one from now on. */
  claim(): void;
}

/** Limits of a token's own, each in place of its class's; absent: the class's. */
export interface TokenLimits {
  /** Circuits at the same time that the member has opened. */
  readonly circuits?: number;
  /** Of one circuit. */
  readonly durationMs?: number;
  /** Of one circuit. */
  readonly bytesPerDirection?: number;
  /** Bytes per second of all circuits of the member. */
  readonly bandwidth?: number;
}

/** Every reason why a token makes nobody a member. The names are what a refusal says (docs/reference/refusals.md). */
export const TOKEN_PROBLEMS = [
  'token malformed',
  'token signature',
  'token wrong realm',
  'token not yet valid',
  'token expired',
  'token wrong peer',
  'token used up',
  'token use',
  'token revoked',
] as const;

export type TokenProblem = (typeof TOKEN_PROBLEMS)[number];
