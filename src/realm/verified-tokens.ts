import type { TokenProblem } from '../lib/membership/verifier.ts';
import type { TokenContent } from './content.ts';
import type { IsSealed } from './signature.ts';
import { decodeToken } from './token.ts';
import type { UncheckedToken } from './token.ts';

/** A kilobyte or two each: members that come back to renew are found here again. */
const MAX_KEPT = 4096;

/** The tokens of one realm whose signature was found good, so that each is looked at once; those used last are kept. */
export class VerifiedTokens {
  readonly #realm: string | undefined;
  readonly #isSealed: IsSealed;
  readonly #kept = new Map<string, TokenContent>();

  /** @param realm its name; without one the authority's key alone says which tokens are its */
  constructor(realm: string | undefined, isSealed: IsSealed) {
    this.#realm = realm;
    this.#isSealed = isSealed;
  }

  /** What the token says when its form, its realm and its signature are right. */
  open(token: Uint8Array): TokenContent | TokenProblem {
    const key = Buffer.from(token.buffer, token.byteOffset, token.byteLength).toString('latin1');
    const kept = this.#kept.get(key);
    if (kept === undefined) return this.#verify(token, key);
    this.#keep(key, kept);
    return kept;
  }

  #verify(token: Uint8Array, key: string): TokenContent | TokenProblem {
    const unchecked = decoded(token);
    if (unchecked === undefined) return 'token malformed';
    const { content, sealed } = unchecked;
    // Before the signature: who comes with the token of another realm is told so, and costs nothing.
    if (this.#realm !== undefined && content.realm !== this.#realm) return 'token wrong realm';
    // A bad one is not kept: anyone can make any number of them.
    if (!this.#isSealed('token', sealed)) return 'token signature';
    this.#keep(key, content);
    return content;
  }

  #keep(key: string, content: TokenContent): void {
    this.#kept.delete(key);
    this.#kept.set(key, content);
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
