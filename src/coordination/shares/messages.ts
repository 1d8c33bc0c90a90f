/** Of everything that a borrower says to a lender: specification in docs/reference/protocol-cluster.md. */
export interface Stamp {
  /** Of one run of the borrower: random. */
  readonly instance: number;
  /** Begins with a report of all that the borrower holds of the lender's keys. */
  readonly session: number;
  /** Counts the messages of a session from 0: none may be missing or come twice. */
  readonly sequence: number;
  /** Digest of the borrower's view. */
  readonly view: number;
}

export interface Holding {
  readonly key: string;
  readonly count: number;
}

/** What is missing from a bucket, in thousandths of a token, and how fast it comes back. */
export interface Level {
  readonly key: string;
  readonly missing: number;
  readonly count: number;
  readonly perMs: number;
}

export interface HoldOp {
  readonly key: string;
  readonly maximum: number;
  /** Places that somebody waits for, and places beyond them. */
  readonly want: number;
  readonly extra: number;
  /** Places that are given back, and places that the borrower holds without having been granted them. */
  readonly give: number;
  readonly claim: number;
}

export interface RateOp {
  readonly key: string;
  readonly count: number;
  readonly perMs: number;
  readonly want: number;
  readonly extra: number;
  readonly give: number;
}

export type Question =
  | { readonly type: 'report'; readonly stamp: Stamp; readonly holdings: readonly Holding[]; readonly levels: readonly Level[]; readonly last: boolean }
  | { readonly type: 'ask'; readonly stamp: Stamp; readonly wait: boolean; readonly holds: readonly HoldOp[]; readonly rates: readonly RateOp[] }
  /** Asks a borrower to give back what it does not use of these keys; with none, to report anew. */
  | { readonly type: 'recall'; readonly keys: readonly string[] };

/**
 * `ok`: all that was wanted. `full`: there is no more. `later`: others may give some back; asking again with `wait` waits for that. `elsewhere`: another relay
 * owns the key. `busy`: the lender has too many keys.
 */
export const STATUSES = ['ok', 'full', 'later', 'elsewhere', 'busy'] as const;
export type OpStatus = (typeof STATUSES)[number];

export interface HoldResult {
  readonly status: OpStatus;
  readonly granted: number;
  /** Over the cluster, as far as the lender knows. */
  readonly current: number;
  /** What the lender may lend now: the limit, or less while relays are away. */
  readonly maximum: number;
  /** Others want places too: what is not used is to be given back at once. */
  readonly contended: boolean;
}

export interface RateResult {
  readonly status: OpStatus;
  readonly granted: number;
  readonly retryAfterMs: number;
}

/** `resync`: the lender does not know the session, or missed a part of it. `stranger`: the borrower is not alive in the lender's view. */
export const ANSWER_STATUSES = ['ok', 'resync', 'stranger'] as const;

export interface Answer {
  readonly status: (typeof ANSWER_STATUSES)[number];
  readonly holds: readonly HoldResult[];
  readonly rates: readonly RateResult[];
}

/** So many operations or keys, or holdings and as many levels, fit a frame whatever their keys are (at most 256 bytes each). */
export const MAX_ITEMS = 1_500;
