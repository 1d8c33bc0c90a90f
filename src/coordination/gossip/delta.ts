/**
 * What a relay has changed: everything that lies in its changes (from, to] of one epoch, as it stands now. Deltas may come in any order, twice, or not
 * at all; times are durations, so that no two clocks are compared.
 */
export interface Delta {
  readonly relay: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  /** When it last said that it is alive. */
  readonly beat?: Beat | undefined;
  /** Its newest record. */
  readonly record?: RecordChange | undefined;
  /** It said at this change that it goes: what it held before is over. */
  readonly leftAt?: number | undefined;
  readonly held: readonly HeldChange[];
  readonly ended: readonly EndedChange[];
  readonly usage: readonly UsageChange[];
}

export interface Beat {
  readonly sequence: number;
  /** Since the relay itself was heard to say it. */
  readonly ageMs: number;
}

export interface RecordChange {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

export interface HeldChange {
  readonly peer: string;
  readonly sequence: number;
  readonly ttlMs: number;
  readonly ageMs: number;
}

export interface EndedChange {
  readonly peer: string;
  readonly sequence: number;
}

export interface UsageChange {
  readonly key: string;
  readonly window: string;
  readonly sequence: number;
  readonly bytes: number;
}
