/** What peers did to a cluster of relays and what came of it: what the checker reads. Times are milliseconds of the machine's monotonic clock. */

/** A request for a reservation, from its first byte to the reply. */
export interface Attempt {
  readonly kind: 'attempt';
  readonly peer: string;
  readonly relay: string;
  readonly beganMs: number;
  readonly endedMs: number;
  /** `failed`: no reply, because the relay was dead, frozen or cut off. */
  readonly outcome: 'admitted' | 'refused' | 'failed';
  /** The limit that a refusal names, or the error. */
  readonly reason: string | undefined;
}

/** A peer has let go of its reservation, or lost it with the relay. */
export interface Release {
  readonly kind: 'release';
  readonly peer: string;
  readonly relay: string;
  readonly atMs: number;
}

/** The authority has taken a peer's membership back. */
export interface Revocation {
  readonly kind: 'revocation';
  readonly peer: string;
  readonly atMs: number;
}

export type Operation = Attempt | Release | Revocation;
