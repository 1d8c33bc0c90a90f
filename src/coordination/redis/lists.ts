import { createHash } from 'node:crypto';
import type { BackendListener, SharedRevocations } from '../backend.ts';
import { errorMessage } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Proofs } from '../proofs.ts';
import { VerifiedLists } from '../verified-lists.ts';
import type { Run } from './line.ts';
import { unavailable } from './problems.ts';
import { SCRIPTS } from './scripts.ts';

/** A try fails only when somebody writes something else at the same moment. */
const MAX_TRIES = 3;

/** Lists of authorities of whom nothing is known yet, fetched at once. What is not fetched now is with a later beat. */
const MAX_LOOKING = 8;

/** What the store has of an authority: the number that somebody claims, and a list. Either may be anything, or missing (empty). */
interface Stored {
  readonly claimed: Buffer;
  readonly list: Buffer;
}

/** The newest revocation list of each authority: what is missing here is fetched, what is missing or wrong in the store is told again. */
export class RevocationLists {
  readonly #listener: Pick<BackendListener, 'revocations'>;
  readonly #log: Logger;
  readonly #lists: VerifiedLists;
  /** Authorities whose lists are being looked at. */
  readonly #looking = new Set<string>();
  readonly #proofs: Pick<Proofs, 'ownAuthority'>;
  #isLookingThrough = false;

  constructor(listener: Pick<BackendListener, 'revocations'>, proofs: Proofs, log: Logger) {
    this.#listener = listener;
    this.#lists = new VerifiedLists(proofs);
    this.#proofs = proofs;
    this.#log = log;
  }

  /** Whose lists are asked for by name with each beat: many others may stand in the store, made up by who can write there. */
  wanted(): string[] {
    const own = this.#proofs.ownAuthority();
    return [...new Set([...(own === undefined ? [] : [own]), ...this.#lists.all().map(({ authority }) => authority)])];
  }

  /** @throws RelaydError STORE_UNAVAILABLE where the store does not hold it, or a newer one, then; it is told with a later beat */
  async tell(list: SharedRevocations, run: Run): Promise<void> {
    this.#lists.judge(list);
    await this.#write(list.authority, run);
  }

  /** Somebody says that the store has this one. Never throws. */
  async heard(authority: string, claimed: number, run: Run): Promise<void> {
    if (this.#isNews(authority, claimed) && (this.#looking.size < MAX_LOOKING || this.wanted().includes(authority))) await this.#look(authority, run);
  }

  /** Somebody says that the store has these, and of those that are wanted no others. Never throws. */
  async compare(stored: ReadonlyMap<string, number>, run: Run): Promise<void> {
    const wanted = new Set(this.wanted());
    const news = [...stored].filter(([authority, claimed]) => this.#isNews(authority, claimed)).map(([authority]) => authority);
    const fetched = news.filter((authority) => wanted.has(authority)).map((authority) => this.#look(authority, run));
    const others = news.filter((authority) => !wanted.has(authority));
    const told = this.#lists
      .all()
      .filter(({ authority, sequence }) => (stored.get(authority) ?? -1) < sequence)
      .map(({ authority }) => this.#write(authority, run).catch((error: unknown) => this.#log.debug({ error: errorMessage(error) }, 'a revocation list has not been told')));
    await Promise.all([...fetched, ...told, this.#lookThrough(others, run)]);
  }

  /** One after the other, so that they are in nobody's way. What comes meanwhile comes again. */
  async #lookThrough(authorities: readonly string[], run: Run): Promise<void> {
    if (this.#isLookingThrough) return;
    this.#isLookingThrough = true;
    for (const authority of authorities) await this.#look(authority, run);
    this.#isLookingThrough = false;
  }

  #isNews(authority: string, claimed: number): boolean {
    return !(claimed <= this.#sequence(authority));
  }

  async #look(authority: string, run: Run): Promise<void> {
    if (this.#looking.has(authority) || !this.#lists.hasRoom(authority)) return;
    this.#looking.add(authority);
    try {
      const stored = storedIn(await run(SCRIPTS.list, authority));
      if (this.#isWrong(authority, stored)) await this.#mend(authority, stored, run);
    } catch (error) {
      this.#log.debug({ error: errorMessage(error) }, 'a revocation list has not been fetched: the next beat asks again');
    } finally {
      this.#looking.delete(authority);
    }
  }

  /** Where no list is known, what is none is taken out: the relays that have the true one miss it with their next beat, and tell it. */
  async #mend(authority: string, wrong: Stored, run: Run): Promise<void> {
    if (this.#lists.get(authority) === undefined) await run(SCRIPTS.drop, authority, ...exactly(wrong));
    else await this.#write(authority, run, wrong);
  }

  /** Puts the newest that is known in place of what is older, or of what is none; and takes what is newer. */
  async #write(authority: string, run: Run, before?: Stored): Promise<void> {
    let wrong = before;
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const newest = this.#lists.get(authority);
      if (newest === undefined) return;
      const answer = await run(SCRIPTS.tell, authority, String(newest.sequence), Buffer.from(newest.list), ...(wrong === undefined ? [] : exactly(wrong)));
      if (answer.length === 0) return;
      wrong = storedIn(answer);
      if (!this.#isWrong(authority, wrong)) return;
    }
    throw unavailable('Redis: something else is written in place of the revocation list at the same time');
  }

  #isWrong(authority: string, { claimed, list }: Stored): boolean {
    if (list.byteLength === 0) return true;
    const { news, isWrong } = this.#lists.judge({ authority, sequence: Number(claimed), list });
    if (news !== undefined) this.#listener.revocations(news);
    return isWrong;
  }

  #sequence(authority: string): number {
    return this.#lists.get(authority)?.sequence ?? -1;
  }
}

function storedIn([claimed, list]: readonly unknown[]): Stored {
  return { claimed: bytesOf(claimed), list: bytesOf(list) };
}

function bytesOf(value: unknown): Buffer {
  return value instanceof Buffer ? value : Buffer.alloc(0);
}

/** So that nothing else is written over or taken out: a true list may be there meanwhile. */
function exactly({ claimed, list }: Stored): [Buffer, string] {
  return [claimed, createHash('sha1').update(list).digest('hex')];
}
