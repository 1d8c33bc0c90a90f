import { peerIdFromString } from '@libp2p/peer-id';
import type { Clock } from '../lib/clock.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import type { LinkTarget } from './links.ts';
import { openRecord } from './record.ts';
import type { RelayRecord } from './record.ts';
import type { ClusterSecret } from './secret.ts';

/** Another relay that is alive. */
export interface LiveRelay {
  readonly peer: string;
  readonly record: RelayRecord;
  /** As it came. */
  readonly sealed: Uint8Array;
  /** When its record came, by the monotonic clock. */
  readonly heardAt: number;
}

/** Why a record was not believed. `replayed`: it is older than one that came before; `backlog`: more came than can be checked. */
export const REJECTIONS = ['secret', 'signature', 'replayed', 'malformed', 'backlog'] as const;
export type Rejection = (typeof REJECTIONS)[number];

export interface RelaysOptions {
  readonly self: string;
  readonly secret: ClusterSecret;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onRejected: (why: Rejection) => void;
}

/**
 * A relay that was heard of within this time and has not said that it leaves may be at work somewhere, out of sight: its part of every limit is
 * left to it. An operator who takes a relay away by pulling its plug has the whole limits back after so long.
 */
export const KNOWN_FOR_MS = 10 * 60_000;

/** A relay that lapsed is dialled for so long: when two halves of a cluster find each other again, nobody but they themselves may know of the other. */
const DIALLED_FOR_MS = 24 * 3_600_000;

/** Far more relays than a cluster has; the records of one store are not to fill the memory. */
const MAX_RELAYS = 1024;

/** Records that wait for their signature to be checked: every relay's, several times over. */
const MAX_BACKLOG = 4 * MAX_RELAYS;

/** The newest (epoch, sequence) of a relay, alive or not, and when it was last heard of. One that has left is at work nowhere; its number still counts. */
interface Known {
  epoch: number;
  sequence: number;
  seenAt: number;
  hasLeft: boolean;
  addrs: readonly string[];
}

/** The other relays of the cluster, as this one knows them. */
export class Relays {
  readonly #o: RelaysOptions;
  readonly #live = new Map<string, LiveRelay>();
  readonly #known = new Map<string, Known>();
  readonly #listeners = new Set<() => void>();
  /** What the backend tells is worked off in order: a record that takes long to check does not come back after its relay has gone. */
  #work: Promise<void> = Promise.resolve();
  #backlog = 0;

  constructor(options: RelaysOptions) {
    this.#o = options;
  }

  live(): LiveRelay[] {
    return [...this.#live.values()];
  }

  has(peer: string): boolean {
    return this.#live.has(peer);
  }

  /** Those that may be at work, this one included. */
  knownCount(): number {
    return this.known().length + 1;
  }

  /** Who was known in this relay's last run is taken to be at work until it is known better. */
  remember(peers: Iterable<string>): void {
    for (const peer of peers) {
      if (peer !== this.#o.self && !this.#known.has(peer) && this.#known.size < MAX_RELAYS) this.#known.set(peer, { epoch: 0, sequence: 0, seenAt: this.#o.clock.now(), hasLeft: false, addrs: [] });
    }
  }

  known(): string[] {
    const since = this.#o.clock.now() - KNOWN_FOR_MS;
    return [...this.#known].flatMap(([peer, { hasLeft, seenAt }]) => (!hasLeft && (seenAt >= since || this.#live.has(peer)) ? [peer] : []));
  }

  /** Where relays are that this one is to be linked to. */
  targets(): LinkTarget[] {
    this.#forget();
    return [...this.#known].flatMap(([peer, { hasLeft, addrs }]) => (hasLeft || addrs.length === 0 ? [] : [{ peer, addrs }]));
  }

  /** Hears each change of who is alive and of what they say. The result ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A record, from wherever: it is believed for its signature. */
  heard(peer: string, sealed: Uint8Array): void {
    if (peer === this.#o.self) return;
    this.#later(() => this.#open(peer, sealed));
  }

  gone(peer: string, why: 'left' | 'lapsed'): void {
    this.#later(() => {
      const known = this.#known.get(peer);
      if (known !== undefined) Object.assign(known, { seenAt: this.#o.clock.now(), hasLeft: why === 'left' });
      if (!this.#live.delete(peer)) return;
      this.#o.log.info({ relay: peer, why }, 'a relay of the cluster is gone');
      this.#changed();
    });
  }

  /** Nobody is alive as far as this relay knows; who is known stays so. */
  clear(): void {
    const seenAt = this.#o.clock.now();
    [...this.#live.keys()].forEach((peer) => Object.assign(this.#known.get(peer) ?? {}, { seenAt }));
    this.#live.clear();
    this.#changed();
  }

  #later(work: () => void | Promise<void>): void {
    if (this.#backlog >= MAX_BACKLOG) {
      this.#o.onRejected('backlog');
      return;
    }
    this.#backlog++;
    this.#work = this.#work.then(work).catch((error: unknown) => this.#o.log.error({ error: errorMessage(error) }, 'what is known of a relay could not be changed')).finally(() => this.#backlog--);
  }

  async #open(peer: string, sealed: Uint8Array): Promise<void> {
    const live = this.#live.get(peer);
    if (live !== undefined && Buffer.compare(live.sealed, sealed) === 0) {
      this.#live.set(peer, { ...live, heardAt: this.#o.clock.now() });
      return;
    }
    try {
      const record = await openRecord(sealed, peerIdFromString(peer), this.#o.secret);
      this.#take(peer, record, sealed);
    } catch (error) {
      this.#reject(peer, error);
    }
  }

  #take(peer: string, record: RelayRecord, sealed: Uint8Array): void {
    const known = this.#known.get(peer);
    if (known !== undefined && isOlder(record, known)) throw new RelaydError('BAD_REQUEST', `its number ${record.sequence} is not above ${known.sequence}`);
    if (known === undefined && this.#known.size >= MAX_RELAYS) throw new RelaydError('BUSY', `${MAX_RELAYS} relays are known already`);
    const { clock, log } = this.#o;
    const heardAt = clock.now();
    this.#known.set(peer, { epoch: record.epoch, sequence: record.sequence, seenAt: heardAt, hasLeft: false, addrs: [...record.linkAddrs, ...record.addrs] });
    if (!this.#live.has(peer)) log.info({ relay: peer, version: record.version, region: record.region }, 'a relay of the cluster is there');
    this.#live.set(peer, { peer, record, sealed, heardAt });
    this.#changed();
  }

  #reject(peer: string, error: unknown): void {
    this.#o.onRejected(rejection(error));
    this.#o.log.warn({ relay: peerText(peer), error: peerText(errorMessage(error)) }, 'a record of a relay is not believed');
  }

  #forget(): void {
    const until = this.#o.clock.now() - DIALLED_FOR_MS;
    for (const [peer, { seenAt }] of this.#known) {
      if (seenAt < until && !this.#live.has(peer)) this.#known.delete(peer);
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#o.log.error({ error: errorMessage(error) }, 'a change among the relays of the cluster was not followed');
      }
    }
  }
}

/** The same one again is no replay: a backend tells all that it knows after it was away. */
function isOlder(record: RelayRecord, known: Known): boolean {
  return record.epoch < known.epoch || (record.epoch === known.epoch && record.sequence < known.sequence);
}

function rejection(error: unknown): Rejection {
  const code = error instanceof RelaydError ? error.code : 'MALFORMED_MESSAGE';
  if (code === 'STATEMENT_INVALID') return 'signature';
  if (code === 'BAD_REQUEST') return 'replayed';
  if (code === 'BUSY') return 'backlog';
  return error instanceof RelaydError && error.cause !== undefined ? 'secret' : 'malformed';
}
