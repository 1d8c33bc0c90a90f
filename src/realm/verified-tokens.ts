import type { Clock } from '../lib/clock.ts';
import type { TokenProblem } from '../lib/membership/verifier.ts';
import type { TokenContent } from './content.ts';
import type { IsSealed } from './signature.ts';
import { decodeToken } from './token.ts';
import type { UncheckedToken } from './token.ts';

/** A kilobyte or two each: members that come back to renew are found here again. */
const MAX_KEPT = 4096;

/** What was found out is good for so long: as a reservation by default, so that most renewals find it. A revocation does not wait for it. */
const KEPT_MS = 3_600_000;

interface Kept {
  readonly content: TokenContent;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** The tokens of one realm whose signature was found good, so that each is looked at once an hour; those used last are kept. */
export class VerifiedTokens {
  readonly #realm: string | undefined;
  readonly #isSealed: IsSealed;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #kept = new Map<string, Kept>();

  /** @param realm its name; without one the authority's key alone says which tokens are its */
  constructor(realm: string | undefined, isSealed: IsSealed, clock: Pick<Clock, 'now'>) {
    this.#realm = realm;
    this.#isSealed = isSealed;
    this.#clock = clock;
  }

  /** What the token says when its form, its realm and its signature are right. */
  open(token: Uint8Array): TokenContent | TokenProblem {
    const key = Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString('latin1');
    const kept = this.#kept.get(key);
    if (kept === undefined || this.#clock.now() >= kept.until) return this.#verify(token, key);
    this.#keep(key, kept);
    return kept.content;
  }

  #verify(token: Uint8Array, key: string): TokenContent | TokenProblem {
    this.#kept.delete(key);
    const unchecked = decoded(token);
    if (unchecked === undefined) return 'token malformed';
    const { content, sealed } = unchecked;
    // Before the signature: who comes with the token of another realm is told so, and costs nothing.
    if (this.#realm !== undefined && content.realm !== this.#realm) return 'token wrong realm';
    // A bad one is not kept: anyone can make any number of them.
    if (!this.#isSealed('token', sealed)) return 'token signature';
    this.#keep(key, { content, until: this.#clock.now() + KEPT_MS });
    return content;
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size <= MAX_KEPT) return;
    const [oldest = ''] = this.#kept.keys();
    this.#kept.delete(oldest);
  }
}

function decoded(token: Uint8Array): UncheckedToken | undefined {
  try {
    return decodeToken(token);
  } catch {
    return undefined;
  }
}
