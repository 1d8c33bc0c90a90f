import type { BackendListener } from '../backend.ts';
import { MAX_RECORD_BYTES } from '../record.ts';
import type { News } from './news.ts';

interface Known {
  /** As the store says: it tells notices that come late from new ones, and nothing else is believed for it. */
  epoch: number;
  readonly record: Buffer;
}

/** What a beat answers of the other relays. */
export interface Roll {
  /** Who is alive, in which epoch; this relay too. */
  readonly live: ReadonlyMap<string, number>;
  /** Records that are new since the version that was asked from. */
  readonly changed: ReadonlyMap<string, Buffer>;
  /** Who has said that it goes, lately. */
  readonly left: ReadonlySet<string>;
  /** Who is waited for, because the store has lost what they had told it. */
  readonly unsure: ReadonlySet<string>;
}

/** Relays that a listener hears of, at most: far more than a cluster has, and a bound for what a broken store can do. */
const MAX_RELAYS = 1_024;

/** The other relays as this one has last heard of them; tells a listener what changes. */
export class OtherRelays {
  readonly #self: string;
  readonly #listener: Pick<BackendListener, 'relay' | 'gone'>;
  readonly #isLinked: (relay: string) => boolean;
  readonly #known = new Map<string, Known>();

  /** @param isLinked whether this relay is connected to that one now */
  constructor(self: string, listener: Pick<BackendListener, 'relay' | 'gone'>, isLinked: (relay: string) => boolean) {
    this.#self = self;
    this.#listener = listener;
    this.#isLinked = isLinked;
  }

  names(): string[] {
    return [...this.#known.keys()];
  }

  /** @returns whether it is known now; one of an epoch that seems to be over may be of the true one, which the next call tells */
  heard({ relay, epoch, record }: Extract<News, { kind: 'record' }>): boolean {
    const known = this.#known.get(relay);
    if (relay === this.#self || known?.record.equals(record) === true) {
      return true;
    }
    if (record.byteLength > MAX_RECORD_BYTES) {
      // It is passed on, for those that are refused are counted, and is not kept.
      this.#listener.relay(relay, record);
      return false;
    }
    if (known === undefined ? this.#known.size >= MAX_RELAYS : known.epoch > epoch) {
      return false;
    }
    this.#known.set(relay, { epoch, record });
    this.#listener.relay(relay, record);
    return true;
  }

  left({ relay, epoch }: Extract<News, { kind: 'left' }>): void {
    if ((this.#known.get(relay)?.epoch ?? Infinity) <= epoch) {
      this.#gone(relay, 'left');
    }
  }

  called({ live, changed, left, unsure }: Roll): void {
    for (const relay of this.names()) {
      if (live.has(relay)) continue;
      if (left.has(relay)) this.#gone(relay, 'left');
      // A store that was emptied knows nobody until each has beaten again: who is linked has not gone with it.
      else if (!unsure.has(relay) || !this.#isLinked(relay)) this.#gone(relay, 'lapsed');
    }
    for (const [relay, known] of this.#known) {
      known.epoch = live.get(relay) ?? known.epoch;
    }
    for (const [relay, record] of changed) {
      this.heard({ kind: 'record', relay, epoch: live.get(relay) ?? 0, version: 0, record });
    }
  }

  clear(): void {
    this.#known.clear();
  }

  #gone(relay: string, why: 'left' | 'lapsed'): void {
    this.#known.delete(relay);
    this.#listener.gone(relay, why);
  }
}
