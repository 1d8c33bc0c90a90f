import type { BackendListener, SharedRevocations } from '../backend.ts';
import { errorMessage } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Run } from './line.ts';
import { SCRIPTS } from './scripts.ts';

/** Authorities whose lists are passed on. A cluster has one realm, or a few while it changes over. */
const MAX_AUTHORITIES = 64;

/** The newest revocation list of each authority: what is missing here is fetched, what is missing in the store is told again. */
export class RevocationLists {
  readonly #listener: Pick<BackendListener, 'revocations'>;
  readonly #log: Logger;
  readonly #newest = new Map<string, SharedRevocations>();
  /** The sequences that are being fetched. */
  readonly #fetching = new Map<string, number>();

  constructor(listener: Pick<BackendListener, 'revocations'>, log: Logger) {
    this.#listener = listener;
    this.#log = log;
  }

  /** @throws RelaydError STORE_UNAVAILABLE; it is told with a later beat then */
  async tell(list: SharedRevocations, run: Run): Promise<void> {
    if (this.#sequence(list.authority) > list.sequence || !this.#hasRoom(list.authority)) {
      return;
    }
    this.#newest.set(list.authority, list);
    await run(SCRIPTS.tell, list.authority, String(list.sequence), Buffer.from(list.list));
  }

  /** The store has this one. Never throws. */
  async heard(authority: string, sequence: number, run: Run): Promise<void> {
    if (sequence <= Math.max(this.#sequence(authority), this.#fetching.get(authority) ?? -1) || !this.#hasRoom(authority)) {
      return;
    }
    this.#fetching.set(authority, sequence);
    try {
      const [stored, list] = await run(SCRIPTS.list, authority);
      this.#take(authority, Number(stored), list);
    } catch (error) {
      this.#log.debug({ error: errorMessage(error) }, 'a revocation list has not been fetched: the next beat asks again');
    } finally {
      if (this.#fetching.get(authority) === sequence) this.#fetching.delete(authority);
    }
  }

  /** The store has these and no others. Never throws. */
  async compare(stored: ReadonlyMap<string, number>, run: Run): Promise<void> {
    const fetched = [...stored].map(([authority, sequence]) => this.heard(authority, sequence, run));
    const told = [...this.#newest.values()]
      .filter(({ authority, sequence }) => (stored.get(authority) ?? -1) < sequence)
      .map((list) => this.tell(list, run).catch((error: unknown) => this.#log.debug({ error: errorMessage(error) }, 'a revocation list has not been told')));
    await Promise.all([...fetched, ...told]);
  }

  #take(authority: string, sequence: number, list: unknown): void {
    if (list instanceof Buffer && sequence > this.#sequence(authority)) {
      const newest = { authority, sequence, list };
      this.#newest.set(authority, newest);
      this.#listener.revocations(newest);
    }
  }

  #sequence(authority: string): number {
    return this.#newest.get(authority)?.sequence ?? -1;
  }

  #hasRoom(authority: string): boolean {
    return this.#newest.has(authority) || this.#newest.size < MAX_AUTHORITIES;
  }
}
