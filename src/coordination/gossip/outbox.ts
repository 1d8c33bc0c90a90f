import type { Clock, TimerHandle } from '../../lib/clock.ts';
import type { SharedRevocations } from '../backend.ts';
import type { Author } from './author.ts';
import { encodeGossip } from './messages.ts';
import type { RevocationLists } from './revocation-lists.ts';

/** What changes within this time after a message goes in the next one: a busy relay sends a fraction of the messages. After a longer silence a change goes at once. */
const BATCH_MS = 50;

/**
 * Between two messages of a relay, for each other relay: however many there are and however busy, each hears some 125 a second of changes, at one to two
 * milliseconds of CPU each. With fifty relays, a change waits 0.4 s at most.
 */
export const GAP_PER_RELAY_MS = 8;

/** Of changes in one message; with a record and a list it stays below what a message may have. */
const MAX_DELTA_BYTES = 24 * 1024;

/** Of messages at the end: what is counted under two thousand keys. */
const MAX_LAST_MESSAGES = 8;

/** Of messages at a time: ten thousand reservations, told at once, take a second and a half. */
const MAX_MESSAGES = 4;

/** A longer list is named, and fetched by whoever lacks it. */
const MAX_LIST_BYTES = 12 * 1024;

interface OutboxOptions {
  readonly author: Author;
  readonly lists: RevocationLists;
  readonly clock: Clock;
  readonly publish: (message: Uint8Array) => void;
  /** How many others hear it. */
  readonly others: () => number;
}

/** What this relay has to say, gathered and sent. */
export class Outbox {
  readonly #o: OutboxOptions;
  readonly #untold = new Map<string, SharedRevocations>();
  #timer: TimerHandle | undefined;
  #sentAt = -Infinity;

  constructor(options: OutboxOptions) {
    this.#o = options;
  }

  /** Something has changed. */
  soon(): void {
    const { clock, others } = this.#o;
    const gapMs = Math.max(BATCH_MS, GAP_PER_RELAY_MS * others());
    this.#timer ??= clock.setTimer(() => this.flush(), Math.max(0, this.#sentAt + gapMs - clock.now()));
  }

  /** The list is told with the next message. */
  tell(list: SharedRevocations): void {
    this.#untold.set(list.authority, list);
    this.soon();
  }

  flush(): void {
    this.stop();
    this.#sentAt = this.#o.clock.now();
    this.#next(MAX_MESSAGES).forEach((message) => this.#o.publish(message));
    if (this.#hasNews()) this.soon();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** What is to be said before the end. */
  rest(): Uint8Array[] {
    this.stop();
    return this.#next(MAX_LAST_MESSAGES);
  }

  #next(atMost: number): Uint8Array[] {
    const messages: Uint8Array[] = [];
    while (messages.length < atMost && this.#hasNews()) messages.push(this.#message());
    return messages;
  }

  /** The marks of lists are in every message: who missed a list hears of it with the next beat. */
  #message(): Uint8Array {
    const { author, lists, clock } = this.#o;
    const short = [...this.#untold.values()].filter(({ list }) => list.byteLength <= MAX_LIST_BYTES).slice(0, 1);
    if (short.length === 0) this.#untold.clear();
    short.forEach(({ authority }) => this.#untold.delete(authority));
    return encodeGossip({ delta: author.next(MAX_DELTA_BYTES, clock.now()), marks: lists.marks(), lists: short });
  }

  #hasNews(): boolean {
    return this.#o.author.hasNews || this.#untold.size > 0;
  }
}
