import { peerIdFromString } from '@libp2p/peer-id';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import { malformed } from '../lib/protobuf.ts';
import { LEASE_MS } from './backend.ts';
import type { LinkTarget } from './links.ts';
import { MAX_RECORD_BYTES, openRecord } from './record.ts';
import type { RelayRecord } from './record.ts';
import { MAX_RELAYS, RelayMemory } from './relay-memory.ts';
import type { RememberedRelay } from './relay-memory.ts';
import type { ClusterSecret } from './secret.ts';
import { UnreadRecords } from './unread-records.ts';
import { Warnings } from './warnings.ts';

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
  /** Whether the two are connected now. */
  readonly isLinked: (peer: string) => boolean;
  readonly secret: ClusterSecret;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onRejected: (why: Rejection) => void;
}

/** Records that wait for their signature to be checked: every relay's, several times over. */
const MAX_BACKLOG = 4 * MAX_RELAYS;

/** The other relays of the cluster, as this one knows them. */
export class Relays {
  readonly #o: RelaysOptions;
  readonly #live = new Map<string, LiveRelay>();
  readonly #memory: RelayMemory;
  readonly #listeners = new Set<() => void>();
  /** What the backend tells is worked off in order: a record that takes long to check does not come back after its relay has gone. */
  #work: Promise<void> = Promise.resolve();
  readonly #warnings: Warnings;
  readonly #unread = new UnreadRecords();
  #backlog = 0;
  #judgement: TimerHandle | undefined;

  constructor(options: RelaysOptions) {
    this.#o = options;
    const { self, isLinked, clock } = options;
    this.#memory = new RelayMemory({ self, isLive: (peer) => this.#live.has(peer), isLinked, clock });
    this.#warnings = new Warnings(options.clock);
    options.secret.onChange(() => this.#onSecret());
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

  /** @see RelayMemory.remember */
  remember(relays: Iterable<RememberedRelay>): void {
    this.#memory.remember(relays);
  }

  toRemember(): RememberedRelay[] {
    return this.#memory.toRemember();
  }

  /** Other relays that may be at work. */
  known(): string[] {
    return this.#memory.known();
  }

  /** Where relays are that this one is to be linked to. */
  targets(): LinkTarget[] {
    return this.#memory.targets();
  }

  /** Hears each change of who is alive and of what they say. The result ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A record, from wherever: it is believed for its signature. */
  heard(peer: string, sealed: Uint8Array): void {
    if (peer === this.#o.self) return;
    // Not even kept until its turn comes.
    if (sealed.byteLength > MAX_RECORD_BYTES) return this.#reject(peer, malformed(`a record of ${sealed.byteLength} bytes`));
    this.#later(() => this.#open(peer, sealed));
  }

  gone(peer: string, why: 'left' | 'lapsed'): void {
    this.#later(() => {
      this.#unread.forget(peer);
      this.#memory.gone(peer, why === 'left');
      if (!this.#live.delete(peer)) return;
      this.#o.log[why === 'left' ? 'info' : 'warn']({ relay: peer, why }, 'a relay of the cluster is gone');
      this.#changed();
    });
  }

  /** The link to it is gone: it was at work until now. */
  unlinked(peer: string): void {
    this.#memory.seen([peer]);
  }

  /** Nobody is alive as far as this relay knows; who is known stays so. */
  clear(): void {
    this.#judgement?.cancel();
    this.#unread.take();
    this.#memory.seen(this.#live.keys());
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
      if (rejection(error) === 'secret') this.#unread.keep(peer, sealed);
      this.#reject(peer, error);
    }
  }

  /** A relay that has the new secret says so within a beat; who has not by the end of a lease counts as one that is silent, though a store goes on telling of it. */
  #onSecret(): void {
    this.#unread.take().forEach(([peer, sealed]) => this.heard(peer, sealed));
    this.#judgement?.cancel();
    // Nobody is judged where nobody is alive, or about to be: a file that is read again while this relay stops is to leave no timer behind.
    if (this.#live.size + this.#backlog === 0) return;
    this.#judgement = this.#o.clock.setTimer(() => this.#later(() => this.#dropUnread()), LEASE_MS);
  }

  #dropUnread(): void {
    const dropped = [...this.#live.values()].filter(({ sealed }) => !this.#isReadable(sealed));
    for (const { peer, sealed } of dropped) {
      this.#live.delete(peer);
      this.#memory.gone(peer, false);
      this.#unread.keep(peer, sealed);
      this.#o.log.warn({ relay: peer }, 'a relay has not taken over the new secret of the cluster: it is one of it no more');
    }
    if (dropped.length > 0) this.#changed();
  }

  #isReadable(sealed: Uint8Array): boolean {
    try {
      return this.#o.secret.open('record', sealed).byteLength > 0;
    } catch {
      return false;
    }
  }

  #take(peer: string, record: RelayRecord, sealed: Uint8Array): void {
    this.#memory.heard(peer, record);
    this.#unread.forget(peer);
    const { clock, log } = this.#o;
    if (!this.#live.has(peer)) log.info({ relay: peer, version: record.version, region: record.region }, 'a relay of the cluster is there');
    this.#live.set(peer, { peer, record, sealed, heardAt: clock.now() });
    this.#changed();
  }

  #reject(peer: string, error: unknown): void {
    this.#o.onRejected(rejection(error));
    if (this.#warnings.isDue(peer)) this.#o.log.warn({ relay: peerText(peer), error: peerText(errorMessage(error)) }, 'a record of a relay is not believed');
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

function rejection(error: unknown): Rejection {
  const code = error instanceof RelaydError ? error.code : 'MALFORMED_MESSAGE';
  if (code === 'STATEMENT_INVALID') return 'signature';
  if (code === 'BAD_REQUEST') return 'replayed';
  if (code === 'BUSY') return 'backlog';
  return error instanceof RelaydError && error.cause !== undefined ? 'secret' : 'malformed';
}
