import { RelaydError } from '../../lib/errors.ts';
import type { SharedRevocations } from '../backend.ts';
import type { Proofs } from '../proofs.ts';
import { VerifiedLists } from '../verified-lists.ts';
import type { EtcdClient } from './client.ts';
import type { Keys } from './keys.ts';
import { NO_LEASE, isBelow, isOfRevision, putOf, rangeOf } from './messages.ts';
import type { Entry, Operation } from './messages.ts';
import { decodeList, encodeList, listsBelow } from './values.ts';

const MAX_TRIES = 3;

export interface RevocationListsOptions {
  readonly keys: Keys;
  readonly client: EtcdClient;
  readonly proofs: Proofs;
  readonly onList: (list: SharedRevocations) => void;
}

/** The newest revocation list of each authority. It hangs on no lease: it is there for relays that come later. */
export class RevocationLists {
  readonly #o: RevocationListsOptions;
  /** What this relay has told or heard, and tells again to a store that has lost it, or holds what nobody has signed. */
  readonly #lists: VerifiedLists;
  /** Authorities at whose keys something else stands. */
  readonly #wrong = new Set<string>();
  #isMending = false;
  #isLost = false;

  constructor(options: RevocationListsOptions) {
    this.#o = options;
    this.#lists = new VerifiedLists(options.proofs);
  }

  /** @throws RelaydError STORE_UNAVAILABLE where etcd does not hold it, or a newer one, then */
  async tell(list: SharedRevocations): Promise<void> {
    this.#lists.judge(list);
    await this.#write(list.authority);
  }

  /** The store may have lost what it was told. */
  lost(): void {
    this.#isLost = true;
  }

  /** Tells again what the store may have lost. @throws RelaydError STORE_UNAVAILABLE */
  async tellLost(): Promise<void> {
    if (!this.#isLost) return;
    this.#isLost = false;
    try {
      for (const { authority } of this.#lists.all()) await this.#write(authority);
    } catch (error) {
      this.#isLost = true;
      throw error;
    }
  }

  /** What stands at a list's key; nothing where it was deleted. */
  saw(authority: string, { value }: Entry): void {
    if (!this.#isWrong(authority, value) || this.#lists.get(authority) === undefined) return;
    this.#wrong.add(authority);
    if (!this.#isMending) void this.#mend();
  }

  /** Never rejects: what fails is told with the next beat. */
  async #mend(): Promise<void> {
    this.#isMending = true;
    try {
      for (const authority of this.#wrong) {
        this.#wrong.delete(authority);
        await this.#write(authority);
      }
    } catch {
      this.#wrong.clear();
      this.#isLost = true;
    } finally {
      this.#isMending = false;
    }
  }

  /** Puts the newest that is known in place of what is older, or of what is none; and takes what is newer. */
  async #write(authority: string): Promise<void> {
    const { client, keys } = this.#o;
    const key = keys.list(authority);
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const newest = this.#lists.get(authority);
      if (newest === undefined) return;
      const { succeeded, found } = await client.txn([isBelow(key, listsBelow(newest.sequence))], [put(key, newest)], [rangeOf(key)]);
      const there = found[0]?.[0];
      if (succeeded || (there !== undefined && !this.#isWrong(authority, there.value))) return;
      // What it was compared with may have been newer, under a number that is not its own.
      const right = this.#lists.get(authority) ?? newest;
      if ((await client.txn([isOfRevision(key, there?.modRevision ?? 0)], [put(key, right)])).succeeded) return;
    }
    throw new RelaydError('STORE_UNAVAILABLE', 'etcd: the revocation list is written and deleted by others at the same time');
  }

  #isWrong(authority: string, value: Uint8Array): boolean {
    const claimed = decodeList(value);
    if (claimed === undefined) return true;
    const { news, isWrong } = this.#lists.judge({ authority, ...claimed });
    if (news !== undefined) this.#o.onList(news);
    return isWrong;
  }
}

function put(key: string, list: SharedRevocations): Operation {
  return putOf(key, encodeList(list), NO_LEASE);
}
