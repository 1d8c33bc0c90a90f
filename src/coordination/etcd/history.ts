import type { Header } from './messages.ts';

/** What was known when a question was asked. */
export interface Moment {
  readonly life: number;
  readonly revision: number;
}

/**
 * Tells when the store is not the one any more that it was: another cluster's, or an older state of it that was restored. Its revision never goes back
 * by itself, whichever member answers, as long as what is compared comes from answers that a majority stands behind.
 */
export class History {
  readonly #onReplaced: () => void;
  #clusterId: string | undefined;
  #revision = 0;
  /** How often it was replaced: answers to questions from before say nothing. */
  #life = 0;

  constructor(onReplaced: () => void) {
    this.#onReplaced = onReplaced;
  }

  now(): Moment {
    return { life: this.#life, revision: this.#revision };
  }

  /** An answer that a majority stands behind, to a question of `asked`. */
  saw({ clusterId, revision }: Header, asked: Moment): void {
    if (asked.life !== this.#life) return;
    const isOther = this.#clusterId !== undefined && (clusterId !== this.#clusterId || revision < asked.revision);
    this.#revision = isOther ? revision : Math.max(this.#revision, revision);
    this.#clusterId = clusterId;
    if (!isOther) return;
    this.#life++;
    this.#onReplaced();
  }
}
