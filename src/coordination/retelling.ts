import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Admission } from './admission.ts';
import type { Publication } from './publication.ts';
import type { RevocationNews } from './revocation-news.ts';
import type { Usage } from './usage.ts';

export interface RetellingOptions {
  readonly admission: Admission;
  readonly publication: Publication;
  readonly news: RevocationNews;
  readonly usage: Usage;
  /** Where relays count by shares, they go on while the store is away. */
  readonly countsInStore: boolean;
  readonly log: Logger;
}

/** Tells the store all that this relay holds whenever it may not know: after a start, after it was away, and from time to time. What it says itself is not trusted for that. */
export class Retelling {
  readonly #o: RetellingOptions;
  #isStale = true;
  #work: Promise<void> | undefined;

  constructor(options: RetellingOptions) {
    this.#o = options;
  }

  /** The store does not answer. */
  away(): void {
    const { admission, publication, news, countsInStore } = this.#o;
    this.stale();
    news.close();
    publication.close();
    if (countsInStore) admission.storeAway();
  }

  /** It may have lost something; nothing is told one by one before all of it is. */
  stale(): void {
    this.#isStale = true;
    this.#o.publication.close();
  }

  /** @param answers whether the store has just answered */
  async ifDue(answers: boolean): Promise<void> {
    const { admission, publication, countsInStore } = this.#o;
    if (answers && (this.#isStale || publication.isDue())) await this.now();
    else if (admission.isLocal && (answers || !countsInStore)) await this.#restate();
  }

  /** Never rejects: what fails is due again. */
  async now(): Promise<void> {
    this.#work ??= this.#all().finally(() => (this.#work = undefined));
    await this.#work;
  }

  async #all(): Promise<void> {
    const { publication, news, usage, log } = this.#o;
    const mayBeLost = this.#isStale;
    this.#isStale = false;
    try {
      await Promise.all([this.#restate(), publication.tellAll(), news.tellAgain()]);
      await (mayBeLost ? usage.tellAgain() : usage.tell());
    } catch (error) {
      this.stale();
      log.debug({ error: errorMessage(error) }, 'the cluster could not be told what this relay holds');
    }
  }

  async #restate(): Promise<void> {
    try {
      await this.#o.admission.restate();
    } catch (error) {
      this.#o.log.debug({ error: errorMessage(error) }, 'the cluster could not be told which places this relay holds');
    }
  }
}
