import type { SharedRevocations } from '../backend.ts';
import { MAX_LIST_BYTES } from './messages.ts';
import type { ListMark } from './messages.ts';

/** A cluster has one authority, or a few while it changes. */
const MAX_AUTHORITIES = 64;

/** The newest revocation list of each authority. */
export class RevocationLists {
  readonly #newest = new Map<string, SharedRevocations>();

  /** @returns whether it is newer than what was known; of two with one number the same one wins everywhere */
  take(list: SharedRevocations): boolean {
    const known = this.#newest.get(list.authority);
    if (list.list.byteLength > MAX_LIST_BYTES || (known === undefined ? this.#newest.size >= MAX_AUTHORITIES : !isNewer(list, known))) return false;
    this.#newest.set(list.authority, list);
    return true;
  }

  get(authority: string): SharedRevocations | undefined {
    return this.#newest.get(authority);
  }

  marks(): ListMark[] {
    return [...this.#newest.values()].map(({ authority, sequence }) => ({ authority, sequence }));
  }

  /** Which of `marks` name lists that are newer than those known. */
  missing(marks: readonly ListMark[]): ListMark[] {
    return marks.filter(({ authority, sequence }) => sequence > (this.#newest.get(authority)?.sequence ?? -1));
  }
}

function isNewer(list: SharedRevocations, known: SharedRevocations): boolean {
  return list.sequence === known.sequence ? Buffer.compare(list.list, known.list) > 0 : list.sequence > known.sequence;
}
