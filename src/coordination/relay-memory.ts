import type { Clock } from '../lib/clock.ts';
import { RelaydError } from '../lib/errors.ts';
import type { LinkTarget } from './links.ts';
import type { RelayRecord } from './record.ts';

/** What is kept of a relay from one run of this one to the next. */
export interface RememberedRelay {
  readonly peer: string;
  /** The newest that is known of it; 0: nothing. */
  readonly epoch: number;
  readonly sequence: number;
  /** `false`: it has left, or was not heard of for long. Its numbers count all the same. */
  readonly mayBeAtWork: boolean;
}

export interface RelayMemoryOptions {
  readonly self: string;
  readonly isLive: (peer: string) => boolean;
  /** Whether the two are connected now. */
  readonly isLinked: (peer: string) => boolean;
  readonly clock: Clock;
}

/**
 * A relay that was heard of within this time and has not said that it leaves may be at work somewhere, out of sight: its part of every limit is
 * left to it. An operator who takes a relay away by pulling its plug has the whole limits back after so long.
 */
export const KNOWN_FOR_MS = 10 * 60_000;

/** A relay that lapsed is dialled for so long: when two halves of a cluster find each other again, nobody but they themselves may know of the other. */
const DIALLED_FOR_MS = 24 * 3_600_000;

/** Far more relays than a cluster has; the records of one store are not to fill the memory. */
export const MAX_RELAYS = 1024;

/** The newest (epoch, sequence) of a relay, alive or not, and when it was last heard of. One that has left is at work nowhere; its number still counts. */
interface Known {
  epoch: number;
  sequence: number;
  seenAt: number;
  hasLeft: boolean;
  addrs: readonly string[];
}

/** Which relays there have been, alive or not: how many may be at work out of sight, and what each has said last. */
export class RelayMemory {
  readonly #o: RelayMemoryOptions;
  readonly #known = new Map<string, Known>();

  constructor(options: RelayMemoryOptions) {
    this.#o = options;
  }

  /** Who was at work in this relay's last run, or is named in its configuration, is taken to be at work until it is known better. */
  remember(relays: Iterable<RememberedRelay>): void {
    const seenAt = this.#o.clock.now();
    for (const { peer, epoch, sequence, mayBeAtWork } of relays) {
      const known = this.#known.get(peer);
      if (known !== undefined && mayBeAtWork && !this.#mayBeAtWork(peer, known)) Object.assign(known, { seenAt, hasLeft: false });
      if (peer !== this.#o.self && known === undefined && this.#known.size < MAX_RELAYS) this.#known.set(peer, { epoch, sequence, seenAt, hasLeft: !mayBeAtWork, addrs: [] });
    }
  }

  /** For {@link remember}, in the next run. */
  toRemember(): RememberedRelay[] {
    return [...this.#known].map(([peer, known]) => ({ peer, epoch: known.epoch, sequence: known.sequence, mayBeAtWork: this.#mayBeAtWork(peer, known) }));
  }

  /** Those that may be at work. */
  known(): string[] {
    return [...this.#known].flatMap(([peer, known]) => (this.#mayBeAtWork(peer, known) ? [peer] : []));
  }

  /** Where relays are that this one is to be linked to. */
  targets(): LinkTarget[] {
    return [...this.#known].flatMap(([peer, { hasLeft, addrs, seenAt }]) => (hasLeft || addrs.length === 0 || this.#isLongGone(peer, seenAt) ? [] : [{ peer, addrs }]));
  }

  /** @throws RelaydError BAD_REQUEST when it is older than what came before, BUSY when there is no room */
  heard(peer: string, record: RelayRecord): void {
    const known = this.#known.get(peer);
    if (known !== undefined && isOlder(record, known)) throw new RelaydError('BAD_REQUEST', `its number ${record.sequence} is not above ${known.sequence}`);
    if (known === undefined) this.#makeRoom();
    const { epoch, sequence, linkAddrs, addrs } = record;
    this.#known.set(peer, { epoch, sequence, seenAt: this.#o.clock.now(), hasLeft: false, addrs: [...linkAddrs, ...addrs] });
  }

  gone(peer: string, hasLeft: boolean): void {
    const known = this.#known.get(peer);
    if (known !== undefined) Object.assign(known, { seenAt: this.#o.clock.now(), hasLeft });
  }

  /** These were alive until now. */
  seen(peers: Iterable<string>): void {
    const seenAt = this.#o.clock.now();
    for (const peer of peers) Object.assign(this.#known.get(peer) ?? {}, { seenAt });
  }

  /**
   * Who is linked is at work, whatever a store says: that a relay has left is told unsigned, and a store that is away for long tells of nobody that was
   * not heard of before.
   */
  #mayBeAtWork(peer: string, { hasLeft, seenAt }: Known): boolean {
    if (this.#o.isLinked(peer)) return true;
    return !hasLeft && (seenAt >= this.#o.clock.now() - KNOWN_FOR_MS || this.#o.isLive(peer));
  }

  #isLongGone(peer: string, seenAt: number): boolean {
    return seenAt < this.#o.clock.now() - DIALLED_FOR_MS && !this.#o.isLive(peer);
  }

  /** A number is kept for as long as there is room: without it, what its relay said long ago would be news again. @throws RelaydError BUSY */
  #makeRoom(): void {
    if (this.#known.size < MAX_RELAYS) return;
    for (const [peer, { seenAt }] of this.#known) {
      if (this.#isLongGone(peer, seenAt)) this.#known.delete(peer);
    }
    if (this.#known.size >= MAX_RELAYS) throw new RelaydError('BUSY', `${MAX_RELAYS} relays are known already`);
  }
}

/** The same one again is no replay: a backend tells all that it knows after it was away. */
function isOlder(record: RelayRecord, known: Known): boolean {
  return record.epoch < known.epoch || (record.epoch === known.epoch && record.sequence < known.sequence);
}
