/** That a peer was let in by a bearer token, as the relays of a cluster tell it to each other. */
export interface BearerClaim {
  /** The token's id: 16 hex digits. */
  readonly token: string;
  /** By its id. */
  readonly peer: string;
  /** Unix milliseconds, by the clock of the relay that let it in; 0: before that was written down. */
  readonly claimedAtWall: number;
  /** Unix milliseconds: the token's end, the tolerance for clocks that differ included. */
  readonly expiresAtWall: number;
  /** As the token says; `undefined` where nobody who tells of it has seen the token since it is written down. */
  readonly maxPeers: number | undefined;
}

/** What one relay has been told of another's claims. */
export interface ToldClaims {
  /** The claims that were made there are told up to this revision. */
  readonly upTo: number;
  /** Those that it heard of from others are to be told too, as far as they are no newer than this revision. */
  readonly othersUpTo: number;
}

/** A node's claims, for whoever tells them to others. The realm's room implements it, `node/` hands it over. */
export interface SharedClaims {
  /** Grows with every change. */
  readonly revision: number;
  /** At most `most` claims of tokens that have not ended, the oldest change first, with the revision of the last; `undefined` when all is told. */
  after(told: ToldClaims, most: number): { readonly claims: readonly BearerClaim[]; readonly revision: number } | undefined;
  /** The same on two nodes that know the same claims of tokens that have not ended. */
  digest(): Uint8Array;
  /** Takes what another relay has told: claims that are known, or too many, change nothing. */
  take(claims: readonly BearerClaim[]): void;
  /** Hears that a peer has been let in here. The result ends that. */
  onClaim(listener: () => void): () => void;
}
