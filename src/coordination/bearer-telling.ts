import type { SharedClaims, ToldClaims } from '../lib/membership/bearer-claims.ts';
import { MAX_CLAIMS, decodeAnswer, encodeQuestion } from './bearer-messages.ts';

export interface BearerTellingOptions {
  readonly claims: SharedClaims;
  /** The public key of the realm's authority, as hex; `undefined`: there is nothing to tell. */
  readonly authority: () => string | undefined;
  /** Asks the one relay. May reject. */
  readonly ask: (question: Uint8Array) => Promise<Uint8Array>;
  /** Between two messages. */
  readonly pause: () => Promise<void>;
  readonly onFailed: (error: unknown) => void;
}

/**
 * What one linked relay has been told of the users of bearer tokens. One message is under way at a time, so that what comes up meanwhile goes together. What one
 * message could not tell is told by the next: after a failure that is the next claim, or the next comparison.
 */
export class BearerTelling {
  readonly #o: BearerTellingOptions;
  #told: ToldClaims;
  #isToCompare = false;
  #isBusy = false;
  #isEnded = false;
  /** The two digests with which all has been told: as long as neither changes, telling it again changes nothing. */
  #allToldWith: string | undefined;

  constructor(options: BearerTellingOptions) {
    this.#o = options;
    this.#told = { upTo: options.claims.revision, othersUpTo: 0 };
  }

  /** A peer has been let in here. */
  news(): void {
    void this.#run();
  }

  /** Compares what the two relays know, and tells all where that differs. */
  compare(): void {
    this.#isToCompare = true;
    void this.#run();
  }

  /** Nothing is told any more. */
  end(): void {
    this.#isEnded = true;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      while (!this.#isEnded && (await this.#step())) await this.#o.pause();
    } catch (error) {
      this.#o.onFailed(error);
    } finally {
      this.#isBusy = false;
    }
  }

  /** @returns whether there was anything to do */
  async #step(): Promise<boolean> {
    const { claims, ask } = this.#o;
    const authority = this.#o.authority();
    if (authority === undefined) return false;
    if (this.#isToCompare) {
      this.#isToCompare = false;
      await this.#compare(authority);
      return true;
    }
    const next = claims.after(this.#told, MAX_CLAIMS);
    if (next === undefined) return false;
    await ask(encodeQuestion({ authority, claims: next.claims }));
    this.#told = { ...this.#told, upTo: next.revision };
    return true;
  }

  async #compare(authority: string): Promise<void> {
    const { claims, ask } = this.#o;
    const own = hex(claims.digest());
    const answer = decodeAnswer(await ask(encodeQuestion({ authority, claims: [] })));
    // A relay of another realm has none.
    const theirs = answer === undefined ? own : hex(answer);
    if (theirs === own || this.#allToldWith === `${own} ${theirs}`) return;
    this.#allToldWith = `${own} ${theirs}`;
    this.#told = { upTo: 0, othersUpTo: claims.revision };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
