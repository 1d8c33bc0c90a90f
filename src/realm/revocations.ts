import { readFileSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { RealmFolder } from './folder.ts';
import { MAX_REVOCATION_LIST_BYTES, openRevocationList } from './revocation-list.ts';
import type { RevocationList } from './revocation-list.ts';
import type { IsSealed } from './signature.ts';

export interface RevocationsOptions {
  /** `undefined`: the authority's key alone says which lists are its. */
  readonly realm: string | undefined;
  readonly isSealed: IsSealed;
  /** The operator's file: realm.revocationFile. */
  readonly file: string;
  readonly folder: RealmFolder;
  readonly log: Logger;
  /** A newer list has come into force: it is to be kept, and its word is to be followed. */
  readonly onNewer: () => void;
}

/** What became of a list that was offered. */
export type Offered = 'newer' | 'known' | 'older' | 'refused';

/**
 * The revocation list in force: the newest that this node has ever had from the operator's file or from another node, rightly signed. An older
 * one never takes its place, whatever happens to the files.
 */
export class Revocations {
  readonly #o: RevocationsOptions;
  #list: RevocationList | undefined;
  #bytes: Uint8Array | undefined;
  #tokens: ReadonlySet<string> = new Set();
  #peers: ReadonlySet<string> = new Set();
  /** The file as it was when it was last read: it is read, and complained of, once. */
  #looked = '';
  #hadFile = false;

  constructor(options: RevocationsOptions) {
    this.#o = options;
  }

  get count(): number {
    return this.#list?.entries.length ?? 0;
  }

  /** 0: there is no list. */
  get sequence(): number {
    return this.#list?.sequence ?? 0;
  }

  get bytes(): Uint8Array | undefined {
    return this.#bytes;
  }

  hasToken(id: string): boolean {
    return this.#tokens.has(id);
  }

  hasPeer(peer: string): boolean {
    return this.#peers.has(peer);
  }

  /** Reads what this node has seen before, and the operator's file; at once, because nobody is to be served without. Never throws. */
  load(): void {
    this.#loadSeen();
    this.#read(stateNow(this.#o.file));
  }

  /** Looks whether the operator's file has changed. Never throws. */
  async look(): Promise<void> {
    this.#read(await stat(this.#o.file, { bigint: true }).then(stateOf, stateOfError));
  }

  /** Takes a list that another node gave, if it is newer. */
  offer(bytes: Uint8Array): Offered {
    try {
      return this.#take(bytes);
    } catch {
      return 'refused';
    }
  }

  #loadSeen(): void {
    const { folder, log } = this.#o;
    try {
      this.#set(readUpTo(folder.seenFile));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      log.warn({ file: folder.seenFile, error: errorMessage(error) }, "the revocation list that was in force before cannot be used: another authority's, or damaged");
    }
  }

  #read(state: string): void {
    if (state === this.#looked) return;
    this.#looked = state;
    const { file, log } = this.#o;
    try {
      const offered = this.#take(readUpTo(file));
      this.#hadFile = true;
      if (offered === 'older') throw new Error(`its sequence is lower than ${this.sequence}, which has been seen`);
      if (offered === 'newer') log.info({ file, sequence: this.sequence, revocations: this.count }, 'a revocation list is in force');
    } catch (error) {
      this.#complain(error);
    }
  }

  #complain(error: unknown): void {
    const { file, log } = this.#o;
    const facts = { file, sequence: this.sequence, revocations: this.count };
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (!isMissing) log.warn({ ...facts, error: errorMessage(error) }, 'the revocation list cannot be used: the last one stays in force');
    else if (this.#hadFile) log.warn(facts, 'the revocation list is gone: the last one stays in force');
    // Nothing to worry about where lists come from the cluster or from members. Where there never was one, nothing is revoked.
    else if (this.#list !== undefined) log.info(facts, 'there is no file with a revocation list here: the newest list that was seen, from a file or from another node, is in force');
  }

  /** @throws Error when it is no list of this realm */
  #take(bytes: Uint8Array): Exclude<Offered, 'refused'> {
    const before = this.sequence;
    if (this.#bytes !== undefined && Buffer.compare(this.#bytes, bytes) === 0) return 'known';
    const list = this.#open(bytes);
    if (list.sequence <= before) return list.sequence < before ? 'older' : 'known';
    this.#set(bytes, list);
    this.#o.onNewer();
    return 'newer';
  }

  #open(bytes: Uint8Array): RevocationList {
    const { realm, isSealed } = this.#o;
    const list = openRevocationList(bytes, isSealed);
    if (realm !== undefined && list.realm !== realm) throw new Error(`it is of the realm ${list.realm}`);
    return list;
  }

  #set(bytes: Uint8Array, list = this.#open(bytes)): void {
    this.#list = list;
    this.#bytes = bytes;
    this.#tokens = new Set(list.entries.flatMap((entry) => ('token' in entry ? [entry.token] : [])));
    this.#peers = new Set(list.entries.flatMap((entry) => ('peer' in entry ? [entry.peer.toString()] : [])));
  }
}

/** @throws Error of the file system, or when it is larger than any list */
function readUpTo(file: string): Uint8Array {
  const { size } = statSync(file);
  if (size > MAX_REVOCATION_LIST_BYTES) throw new Error(`${size} bytes are more than a revocation list has`);
  return new Uint8Array(readFileSync(file));
}

function stateNow(file: string): string {
  try {
    return stateOf(statSync(file, { bigint: true }));
  } catch (error) {
    return stateOfError(error);
  }
}

/** What differs when a file was written or replaced. */
function stateOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join(':');
}

function stateOfError(error: unknown): string {
  return `error ${String((error as NodeJS.ErrnoException).code)}`;
}
