import type { SharedRevocations } from '../backend.ts';
import type { Proofs } from '../proofs.ts';
import { VerifiedLists } from '../verified-lists.ts';
import { MAX_LIST_BYTES } from './messages.ts';
import type { ListMark } from './messages.ts';

/** The newest revocation list of each authority, and its mark: both only of what is signed. */
export class RevocationLists {
  readonly #lists: VerifiedLists;

  constructor(proofs: Pick<Proofs, 'signedSequence' | 'ownAuthority'>) {
    this.#lists = new VerifiedLists(proofs);
  }

  /** @returns the list, with the number that is signed, when it is newer than what was known */
  take(claimed: SharedRevocations): SharedRevocations | undefined {
    return claimed.list.byteLength > MAX_LIST_BYTES ? undefined : this.#lists.judge(claimed).news;
  }

  get(authority: string): SharedRevocations | undefined {
    return this.#lists.get(authority);
  }

  marks(): ListMark[] {
    return this.#lists.all().map(({ authority, sequence }) => ({ authority, sequence }));
  }

  /** Which of `marks` claim lists that are newer than those known. */
  missing(marks: readonly ListMark[]): ListMark[] {
    return marks.filter(({ authority, sequence }) => sequence > (this.#lists.get(authority)?.sequence ?? -1) && this.#lists.hasRoom(authority));
  }
}
