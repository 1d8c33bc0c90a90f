import type { Clock } from '../lib/clock.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Registry, SharedRevocations } from './backend.ts';
import { Warnings } from './warnings.ts';

/** What the coordination room needs of the realm. */
export interface RealmNews {
  /** The public key of the realm's authority, as hex; `undefined` where there is none. */
  authority(): string | undefined;
  /** The newest revocation list in force; `undefined` where nothing was ever revoked. */
  current(): SharedRevocations | undefined;
  /** Takes a list that another relay tells: for its signature, and only when it is newer. */
  offer(list: SharedRevocations): 'newer' | 'known' | 'older' | 'refused';
  /** The number that the authority named by a list has signed in it, this realm's or another; `undefined`: it has signed no such list. */
  signedSequence(list: SharedRevocations): number | undefined;
  /** Hears when a newer list has come into force. The result ends that. */
  onChange(listener: () => void): () => void;
}

/** What became of a list: told to the others, taken over from one, or offered and no good; or it could not be told. */
export const NEWS_OUTCOMES = ['told', 'taken', 'refused', 'failed'] as const;
export type NewsOutcome = (typeof NEWS_OUTCOMES)[number];

export interface RevocationNewsOptions {
  readonly realm: RealmNews;
  readonly registry: Pick<Registry, 'tellRevocations'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onOutcome: (outcome: NewsOutcome) => void;
}

/** Passes the realm's revocation list on to the cluster, and takes what the cluster tells. */
export class RevocationNews {
  readonly #o: RevocationNewsOptions;
  /** The newest that the cluster is known to have, of the authority with this key. */
  #known: { authority: string; sequence: number } | undefined;
  readonly #warnings: Warnings;
  #isTaking = false;
  #unlisten: (() => void) | undefined;
  #isOpen = false;

  constructor(options: RevocationNewsOptions) {
    this.#o = options;
    this.#warnings = new Warnings(options.clock);
  }

  start(): void {
    this.#unlisten = this.#o.realm.onChange(() => void this.#tell().catch(() => {}));
  }

  stop(): void {
    this.#unlisten?.();
    this.close();
  }

  /** Nobody can be told now. */
  close(): void {
    this.#isOpen = false;
  }

  /** Tells the list in force, whatever the cluster was told before. @throws RelaydError STORE_UNAVAILABLE */
  async tellAgain(): Promise<void> {
    this.#isOpen = true;
    this.#known = undefined;
    await this.#tell();
  }

  /** Lists of other realms pass by: not every relay of a cluster has to serve the same. */
  heard(list: SharedRevocations): void {
    const { realm, log, onOutcome } = this.#o;
    if (realm.authority() !== list.authority) return;
    const outcome = this.#offer(list);
    if (outcome === 'newer') {
      onOutcome('taken');
      log.info({ sequence: list.sequence }, 'a newer revocation list was taken over from the cluster');
    } else if (outcome === 'older') {
      void this.#tell().catch(() => {});
    } else if (outcome === 'refused') {
      onOutcome('refused');
      if (this.#warnings.isDue(list.authority)) log.warn({ authority: list.authority }, 'the cluster tells a revocation list of this realm\'s authority that this realm cannot use: of another realm\'s name, or altered');
    }
  }

  /** What is taken over is not told back; what the cluster has is known by what is in force here then, not by what was claimed. */
  #offer(list: SharedRevocations): ReturnType<RealmNews['offer']> {
    this.#isTaking = true;
    try {
      const outcome = this.#o.realm.offer(list);
      const inForce = this.#o.realm.current();
      if (inForce !== undefined && (outcome === 'newer' || outcome === 'known')) this.#know(inForce);
      return outcome;
    } finally {
      this.#isTaking = false;
    }
  }

  async #tell(): Promise<void> {
    const list = this.#o.realm.current();
    if (list === undefined || !this.#isOpen || this.#isTaking || this.#isKnown(list)) return;
    try {
      await this.#o.registry.tellRevocations(list);
      this.#know(list);
      this.#o.onOutcome('told');
    } catch (error) {
      this.#o.onOutcome('failed');
      this.#o.log.debug({ error: errorMessage(error) }, 'a revocation list could not be told to the cluster: it is when the store is back');
      throw error;
    }
  }

  #isKnown({ authority, sequence }: SharedRevocations): boolean {
    return this.#known?.authority === authority && this.#known.sequence >= sequence;
  }

  #know(list: SharedRevocations): void {
    if (!this.#isKnown(list)) this.#known = { authority: list.authority, sequence: list.sequence };
  }
}
