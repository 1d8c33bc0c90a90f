import { RelaydError } from '../../lib/errors.ts';
import type { SharedRevocations } from '../backend.ts';
import type { EtcdClient } from './client.ts';
import type { Keys } from './keys.ts';
import { NO_LEASE, isBelow, isOfRevision, putOf, rangeOf } from './messages.ts';
import type { Entry } from './messages.ts';
import { decodeList, encodeList, listsBelow } from './values.ts';

/** A relay serves one realm; a few more are there while a realm's key is changed. */
const MAX_AUTHORITIES = 64;
const MAX_TRIES = 3;

export interface RevocationListsOptions {
  readonly keys: Keys;
  readonly client: EtcdClient;
  readonly onList: (list: SharedRevocations) => void;
}

/** The newest revocation list of each authority. It hangs on no lease: it is there for relays that come later. */
export class RevocationLists {
  readonly #o: RevocationListsOptions;
  /** What this relay has told or heard, and tells again to a store that has lost it. */
  readonly #newest = new Map<string, SharedRevocations>();
  #isLost = false;

  constructor(options: RevocationListsOptions) {
    this.#o = options;
  }

  /** @throws RelaydError STORE_UNAVAILABLE */
  async tell(list: SharedRevocations): Promise<void> {
    this.#keep(list);
    const { client, keys } = this.#o;
    const key = keys.list(list.authority);
    const put = putOf(key, encodeList(list), NO_LEASE);
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const { succeeded, found } = await client.txn([isBelow(key, listsBelow(list.sequence))], [put], [rangeOf(key)]);
      if (succeeded || found[0]?.[0] !== undefined) return;
      if ((await client.txn([isOfRevision(key, 0)], [put])).succeeded) return;
    }
    throw new RelaydError('STORE_UNAVAILABLE', 'etcd: the revocation list is written and deleted by others at the same time');
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
      for (const list of this.#newest.values()) await this.tell(list);
    } catch (error) {
      this.#isLost = true;
      throw error;
    }
  }

  /** What stands at a list's key. */
  saw(authority: string, { value }: Entry): void {
    const there = decodeList(value);
    const known = this.#newest.get(authority);
    if (there === undefined || (known?.sequence === there.sequence && Buffer.compare(known.list, there.list) === 0)) return;
    const list = { authority, ...there };
    this.#keep(list);
    this.#o.onList(list);
  }

  #keep(list: SharedRevocations): void {
    const known = this.#newest.get(list.authority);
    if (known === undefined ? this.#newest.size >= MAX_AUTHORITIES : known.sequence > list.sequence) return;
    this.#newest.set(list.authority, list);
  }
}
