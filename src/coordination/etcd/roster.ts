import type { Clock, TimerHandle } from '../../lib/clock.ts';
import { BEAT_EVERY_MS } from '../backend.ts';
import type { BackendListener } from '../backend.ts';
import { MAX_RECORD_BYTES } from '../record.ts';
import type { RecordValue } from './values.ts';

/** What is gone from the store may come back with its relay's next beat: then it was the store that lost it, and no relay was away. */
export const GRACE_MS = BEAT_EVERY_MS;

/** Far more than a cluster has; who can write to the store cannot fill the memory of every relay. */
const MAX_RELAYS = 4_096;

interface Known {
  readonly record: Uint8Array;
  /** Runs while its key is gone. */
  grace: TimerHandle | undefined;
}

export interface RosterOptions {
  readonly listener: Pick<BackendListener, 'relay' | 'gone'>;
  readonly clock: Clock;
  /** While the store is away nobody can announce anything, and nobody is gone. */
  readonly isStoreAway: () => boolean;
}

/** The other relays of the cluster, as their records come and go. */
export class Roster {
  readonly #o: RosterOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: RosterOptions) {
    this.#o = options;
  }

  /** The record of a relay is there. */
  has(relay: string, { record, hasLeft }: RecordValue): void {
    if (hasLeft) return this.#gone(relay, 'left');
    // It is passed on, for those that are refused are counted, and is not kept.
    if (record.byteLength > MAX_RECORD_BYTES) return this.#o.listener.relay(relay, record);
    const known = this.#known.get(relay);
    known?.grace?.cancel();
    const isNews = known === undefined || Buffer.compare(known.record, record) !== 0;
    if (known === undefined && this.#known.size >= MAX_RELAYS) return;
    this.#known.set(relay, { record, grace: undefined });
    if (isNews) this.#o.listener.relay(relay, record);
  }

  /** It is not there any more. */
  lacks(relay: string): void {
    const known = this.#known.get(relay);
    if (known !== undefined && known.grace === undefined) this.#wait(relay, known);
  }

  /** After a gap: these are all that are there. */
  hasOnly(relays: ReadonlyMap<string, RecordValue>): void {
    relays.forEach((value, relay) => this.has(relay, value));
    [...this.#known.keys()].filter((relay) => !relays.has(relay)).forEach((relay) => this.lacks(relay));
  }

  clear(): void {
    this.#known.forEach(({ grace }) => grace?.cancel());
    this.#known.clear();
  }

  #wait(relay: string, known: Known): void {
    known.grace = this.#o.clock.setTimer(() => (this.#o.isStoreAway() ? this.#wait(relay, known) : this.#gone(relay, 'lapsed')), GRACE_MS);
  }

  #gone(relay: string, why: 'left' | 'lapsed'): void {
    const known = this.#known.get(relay);
    if (known === undefined) return;
    known.grace?.cancel();
    this.#known.delete(relay);
    this.#o.listener.gone(relay, why);
  }
}
