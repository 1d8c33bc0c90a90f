import type { Clock, TimerHandle } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Registry, ReservationChange } from './backend.ts';

export interface PublicationOptions {
  readonly registry: Pick<Registry, 'publish' | 'publishAll'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a change has waited to be known, or why it is not. */
  readonly onTold: (delaysMs: readonly number[]) => void;
  readonly onFailed: () => void;
}

/** What changes within this time after a message goes in the next one; after a longer silence a change goes at once, for a peer that has just reserved may be dialled at once. */
const GATHER_MS = 15;

/** In one message. */
const MAX_TOLD_AT_ONCE = 512;

/** A store that takes longer is away; of many reservations it may take a while. */
const TELL_DEADLINE_MS = 5_000;
const TELL_ALL_DEADLINE_MS = 30_000;

/** More changes than this wait only while the store is away, and then all is told anew anyway. */
const MAX_WAITING = 65_536;

/** All that is held is told from time to time, in case the store lost something unnoticed: at most so many a second, and no oftener than that. */
const RECONCILE_PER_SECOND = 100;
const RECONCILE_EVERY_MS = 30_000;

/** Tells the cluster which reservations this relay holds: each change once, in order, as long as it is taken; all of them when something may have been lost. */
export class Publication {
  readonly #o: PublicationOptions;
  /** When each reservation that is held ends, by the monotonic clock. */
  readonly #held = new Map<string, number>();
  /** Peers of which something is to be told, and since when. */
  #waiting = new Map<string, number>();
  #timer: TimerHandle | undefined;
  #sentAt = -Infinity;
  #work: Promise<void> = Promise.resolve();
  #isOpen = false;
  #reconcileAt = Infinity;

  constructor(options: PublicationOptions) {
    this.#o = options;
  }

  /** Peers whose reservations this relay holds. */
  holds(peer: string): boolean {
    return this.#held.has(peer);
  }

  get size(): number {
    return this.#held.size;
  }

  held(peer: string, ttlMs: number): void {
    this.#held.set(peer, this.#o.clock.now() + ttlMs);
    this.#changed(peer);
  }

  letGo(peer: string): void {
    if (this.#held.delete(peer)) this.#changed(peer);
  }

  /** The store cannot be told now: what changes is told by the next {@link tellAll}. */
  close(): void {
    this.#isOpen = false;
    this.#waiting.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /**
   * Tells all that is held, and from then on what changes.
   *
   * @throws RelaydError STORE_UNAVAILABLE: it is closed then
   */
  async tellAll(): Promise<void> {
    const work = this.#work.then(() => this.#tellAll());
    this.#work = work.catch(() => this.close());
    await work;
  }

  /** Whether all is to be told again, just in case. */
  isDue(): boolean {
    return this.#isOpen && this.#o.clock.now() >= this.#reconcileAt;
  }

  async #tellAll(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    this.#isOpen = true;
    this.#sentAt = this.#o.clock.now();
    const held = [...this.#held.keys()].map((peer) => this.#change(peer));
    await withDeadline(TELL_ALL_DEADLINE_MS, this.#o.clock, [], () => this.#o.registry.publishAll(held));
    this.#tell(waiting);
    this.#reconcileAt = this.#o.clock.now() + Math.max(RECONCILE_EVERY_MS, (this.#held.size * 1_000) / RECONCILE_PER_SECOND);
  }

  #changed(peer: string): void {
    if (!this.#isOpen) return;
    if (!this.#waiting.has(peer)) this.#waiting.set(peer, this.#o.clock.now());
    if (this.#waiting.size > MAX_WAITING) this.#fail(new Error('too many changes wait'));
    else this.#timer ??= this.#o.clock.setTimer(() => this.#gathered(), Math.max(0, this.#sentAt + GATHER_MS - this.#o.clock.now()));
  }

  #gathered(): void {
    this.#work = this.#work.then(() => this.#tellWaiting()).catch((error: unknown) => this.#fail(error));
  }

  async #tellWaiting(): Promise<void> {
    this.#timer = undefined;
    this.#sentAt = this.#o.clock.now();
    const waiting = this.#waiting;
    this.#waiting = new Map();
    const peers = [...waiting.keys()];
    for (let from = 0; from < peers.length && this.#isOpen; from += MAX_TOLD_AT_ONCE) {
      const some = peers.slice(from, from + MAX_TOLD_AT_ONCE);
      const changes = some.map((peer) => this.#change(peer));
      await withDeadline(TELL_DEADLINE_MS, this.#o.clock, [], () => this.#o.registry.publish(changes));
      this.#tell(new Map(some.map((peer) => [peer, waiting.get(peer) ?? 0])));
    }
  }

  #change(peer: string): ReservationChange {
    const endsAt = this.#held.get(peer);
    return { peer, ttlMs: endsAt === undefined ? undefined : Math.max(0, endsAt - this.#o.clock.now()) };
  }

  #tell(since: ReadonlyMap<string, number>): void {
    const now = this.#o.clock.now();
    this.#o.onTold([...since.values()].map((at) => now - at));
  }

  #fail(error: unknown): void {
    if (!this.#isOpen) return;
    this.close();
    this.#o.log.debug({ error: errorMessage(error) }, 'reservations could not be told: all of them are when the store is back');
    this.#o.onFailed();
  }
}
