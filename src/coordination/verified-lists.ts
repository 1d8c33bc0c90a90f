import type { SharedRevocations } from './backend.ts';
import type { Proofs } from './proofs.ts';

/** Relays of other realms in the cluster, and a realm's key before and after it was changed. They are kept beside the own: however many there are, it has its place. */
const MAX_OTHERS = 64;

/** What a list that came from somewhere is worth. */
export interface Verdict {
  /** It is newer than what was known and is kept; under the number that is signed, whatever was claimed. */
  readonly news: SharedRevocations | undefined;
  /** No store should hold it so: it is not signed, or not with the number that was claimed, or a newer one is known. */
  readonly isWrong: boolean;
}

/** The newest revocation list of each authority. Nothing is kept, and nothing is compared, that its authority has not signed. */
export class VerifiedLists {
  readonly #proofs: Pick<Proofs, 'signedSequence' | 'ownAuthority'>;
  readonly #newest = new Map<string, SharedRevocations>();

  constructor(proofs: Pick<Proofs, 'signedSequence' | 'ownAuthority'>) {
    this.#proofs = proofs;
  }

  get(authority: string): SharedRevocations | undefined {
    return this.#newest.get(authority);
  }

  all(): SharedRevocations[] {
    return [...this.#newest.values()];
  }

  /** Whether a list of this authority would be kept. */
  hasRoom(authority: string): boolean {
    const own = this.#proofs.ownAuthority();
    if (authority === own || this.#newest.has(authority)) return true;
    const others = this.#newest.size - Number(own !== undefined && this.#newest.has(own));
    return others < MAX_OTHERS;
  }

  /** @param claimed with a number that nobody has checked */
  judge(claimed: SharedRevocations): Verdict {
    const { authority, list } = claimed;
    if (!this.hasRoom(authority)) return { news: undefined, isWrong: false };
    const known = this.#newest.get(authority);
    const isSame = known !== undefined && Buffer.compare(known.list, list) === 0;
    const sequence = isSame ? known.sequence : this.#proofs.signedSequence(claimed);
    if (sequence === undefined) return { news: undefined, isWrong: true };
    const before = known?.sequence ?? -1;
    const news = sequence > before ? { authority, sequence, list } : undefined;
    if (news !== undefined) this.#newest.set(authority, news);
    return { news, isWrong: sequence !== claimed.sequence || sequence < before };
  }
}
