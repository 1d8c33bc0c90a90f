import type { Clock } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { LINK_KINDS } from '../links.ts';
import type { Links } from '../links.ts';
import { encodeQuestion } from './codec.ts';
import { MAX_ITEMS } from './messages.ts';

/** A borrower that has not answered by then keeps what it has: whoever waits for a place is told that there is none. */
const RECALL_MS = 150;

/**
 * For so long after a recall the borrowers give back at once what they do not use, so that none need be asked again. They do it for longer than the
 * lender relies on it.
 */
export const CONTENDED_MS = 5_000;
const RELIED_ON_MS = 4_000;

interface Recall {
  /** While the borrowers have not answered. */
  running: Promise<void> | undefined;
  until: number;
}

export interface RecallsOptions {
  readonly links: Links;
  readonly clock: Clock;
}

/** The keys that more is wanted of than there is, and what is asked back of them. */
export class Recalls {
  readonly #o: RecallsOptions;
  readonly #recalls = new Map<string, Recall>();
  /** Keys to be asked of each borrower in one message. */
  readonly #batches = new Map<string, { keys: string[]; done: Promise<void> }>();

  constructor(options: RecallsOptions) {
    this.#o = options;
  }

  isContended(key: string): boolean {
    const recall = this.#recalls.get(key);
    return recall !== undefined && (recall.running !== undefined || recall.until > this.#o.clock.now());
  }

  /** While somebody is being asked for `key`. */
  running(key: string): Promise<void> | undefined {
    return this.#recalls.get(key)?.running;
  }

  /** Asks `borrowers` to give back what they do not use of `key`. */
  begin(key: string, borrowers: readonly string[]): void {
    this.#sweep();
    const recall: Recall = { running: undefined, until: this.#o.clock.now() + RELIED_ON_MS };
    // The oldest stand first.
    this.#recalls.delete(key);
    this.#recalls.set(key, recall);
    const asked = borrowers.map((borrower) => this.#ask(borrower, key));
    if (asked.length > 0) recall.running = Promise.all(asked).then(() => void (recall.running = undefined));
  }

  /** Asks `borrower` to report anew. Never throws: it is asked again if it does not. */
  solicit(borrower: string): void {
    void this.#send(borrower, []);
  }

  clear(): void {
    this.#recalls.clear();
    this.#batches.clear();
  }

  #ask(borrower: string, key: string): Promise<void> {
    const batch = this.#batches.get(borrower);
    if (batch !== undefined && batch.keys.length < MAX_ITEMS) {
      batch.keys.push(key);
      return batch.done;
    }
    const keys = [key];
    const done = Promise.resolve().then(() => {
      this.#batches.delete(borrower);
      return this.#send(borrower, keys);
    });
    this.#batches.set(borrower, { keys, done });
    return done;
  }

  /** What is given back comes in messages of the borrower's own, before its answer. */
  async #send(borrower: string, keys: readonly string[]): Promise<void> {
    const { links, clock } = this.#o;
    try {
      await withDeadline(RECALL_MS, clock, [], (signal) => links.ask(borrower, LINK_KINDS.shares, encodeQuestion({ type: 'recall', keys }), signal));
    } catch {
      // It keeps what it has.
    }
  }

  #sweep(): void {
    const now = this.#o.clock.now();
    for (const [key, { running, until }] of this.#recalls) {
      if (running !== undefined || until > now) break;
      this.#recalls.delete(key);
    }
  }
}
