import { peerIdFromString } from '@libp2p/peer-id';
import type { Clock } from '../lib/clock.ts';
import { errorMessage } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import type { SharedRevocations } from './backend.ts';
import { openRecord } from './record.ts';
import type { RealmNews } from './revocation-news.ts';
import type { ClusterSecret } from './secret.ts';
import { Warnings } from './warnings.ts';

/** What is believed for a signature alone. Whoever can write to the store, or has a link, can claim anything beside. */
export interface Proofs {
  /** Whether this relay's own key has signed the record, in a run later than this one: only then another process has taken this one's place. */
  provesNewer(record: Uint8Array): Promise<boolean>;
  /** Whether `relay` has signed the record itself, in the run `epoch`. */
  isOfRun(relay: string, epoch: number, record: Uint8Array): Promise<boolean>;
  /** The number that the authority named by the list has signed in it; `undefined`: it has signed no such list. */
  signedSequence(list: SharedRevocations): number | undefined;
  /** Whose lists this relay goes by. */
  ownAuthority(): string | undefined;
}

export interface SignedProofsOptions {
  readonly self: string;
  readonly epoch: number;
  readonly secret: ClusterSecret;
  readonly realm: Pick<RealmNews, 'authority' | 'signedSequence'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of a list that its authority has not signed. */
  readonly onRefusedList: () => void;
}

export class SignedProofs implements Proofs {
  readonly #o: SignedProofsOptions;
  readonly #warnings: Warnings;

  constructor(options: SignedProofsOptions) {
    this.#o = options;
    this.#warnings = new Warnings(options.clock);
  }

  async provesNewer(record: Uint8Array): Promise<boolean> {
    const { self, epoch } = this.#o;
    const signed = await this.#epochIn(self, record);
    if (typeof signed === 'number' && signed > epoch) return true;
    const why = typeof signed === 'number' ? `its record is of the run ${signed}, and this one is ${epoch}` : signed;
    this.#warn(self, why, "somebody claims to be a newer run of this relay, and does not have its key: this relay goes on");
    return false;
  }

  async isOfRun(relay: string, epoch: number, record: Uint8Array): Promise<boolean> {
    const signed = await this.#epochIn(relay, record);
    if (signed === epoch) return true;
    const why = typeof signed === 'number' ? `its record is of the run ${signed}, not ${epoch}` : signed;
    this.#warn(relay, why, 'a newer run of a relay was told by another, and the relay itself has not signed that');
    return false;
  }

  signedSequence(list: SharedRevocations): number | undefined {
    const { realm, onRefusedList } = this.#o;
    const signed = realm.signedSequence(list);
    if (signed === undefined) {
      onRefusedList();
      this.#warn(list.authority, 'its authority has not signed it', 'the cluster tells a revocation list that is not believed');
    }
    return signed;
  }

  ownAuthority(): string | undefined {
    return this.#o.realm.authority();
  }

  /** Or what is wrong with the record. */
  async #epochIn(relay: string, record: Uint8Array): Promise<number | string> {
    try {
      return (await openRecord(record, peerIdFromString(relay), this.#o.secret)).epoch;
    } catch (error) {
      return errorMessage(error);
    }
  }

  #warn(about: string, why: string, text: string): void {
    if (this.#warnings.isDue(about)) this.#o.log.warn({ about: peerText(about), why: peerText(why) }, text);
  }
}
