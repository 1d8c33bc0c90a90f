import type { ReservationChange } from '../backend.ts';
import { nameIn } from './keys.ts';
import { MAX_TXN_OPERATIONS } from './limits.ts';
import { deleteOf, hasLease, putOf, rangeOf } from './messages.ts';
import type { Operation } from './messages.ts';
import type { OwnDataOptions } from './own-data.ts';
import { encodeReservation } from './values.ts';

/** In one transaction; one condition is the relay's own record. */
const BATCH = MAX_TXN_OPERATIONS - 1;

/** Transactions of one statement of everything that are under way at once: etcd writes those that come together to disc together. */
const PARALLEL = 4;

interface Written {
  /** Monotonic. */
  endsAt: number;
  /** Its key is known to be there; else it may be. */
  isSure: boolean;
}

/** Who holds which reservation: a key for each, under the lease of the relay that holds it. */
export class Reservations {
  readonly #o: OwnDataOptions;
  /** Of whom a key of this relay's may be in the store. */
  readonly #written = new Map<string, Written>();
  /** No reservation ends before. */
  #nextEndAt = Infinity;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: OwnDataOptions) {
    this.#o = options;
  }

  /** @throws RelaydError STORE_UNAVAILABLE */
  async publish(changes: readonly ReservationChange[]): Promise<void> {
    await this.#inTurn(async () => {
      for (const batch of batches(newest(changes))) await this.#tell(batch);
    });
  }

  /** @throws RelaydError STORE_UNAVAILABLE */
  async publishAll(held: readonly ReservationChange[]): Promise<void> {
    await this.#inTurn(async () => {
      const peers = new Set(held.map(({ peer }) => peer));
      const over = [...this.#written.keys()].filter((peer) => !peers.has(peer)).map((peer) => ({ peer, ttlMs: undefined }));
      const left = batches([...over, ...newest(held)]);
      const work = async (): Promise<void> => {
        for (let batch = left.shift(); batch !== undefined; batch = left.shift()) await this.#tellAnew(batch);
      };
      await Promise.all(Array.from({ length: PARALLEL }, work));
    });
  }

  /** What nobody has renewed or let go in time. @throws RelaydError STORE_UNAVAILABLE */
  async endOld(): Promise<void> {
    const now = this.#o.clock.now();
    if (now < this.#nextEndAt) return;
    const over = [...this.#written].filter(([, { endsAt }]) => endsAt <= now).map(([peer]) => ({ peer, ttlMs: undefined }));
    this.#nextEndAt = Infinity;
    this.#written.forEach(({ endsAt }) => (this.#nextEndAt = Math.min(this.#nextEndAt, endsAt)));
    if (over.length > 0) await this.publish(over);
  }

  /** @throws RelaydError STORE_UNAVAILABLE, CLOSED */
  async holders(peer: string, signal: AbortSignal): Promise<string[]> {
    const { client, keys } = this.#o;
    const { entries } = await client.range(keys.reservations(peer), signal);
    return entries.sort((a, b) => b.modRevision - a.modRevision).map(({ key }) => nameIn(key));
  }

  /** The lease on which they hung is gone, and they with it. */
  lost(): void {
    this.#written.clear();
    this.#nextEndAt = Infinity;
  }

  /** Writes only what is not there: to read is cheap, and to write goes to all members' discs. */
  async #tellAnew(changes: readonly ReservationChange[]): Promise<void> {
    const isKnown = changes.every(({ peer, ttlMs }) => ttlMs !== undefined && this.#written.get(peer)?.isSure === true);
    if (isKnown && (await this.#areThere(changes))) changes.forEach((change) => this.#isWritten(change));
    else await this.#tell(changes);
  }

  async #areThere(changes: readonly ReservationChange[]): Promise<boolean> {
    const { keys, self, client, session } = this.#o;
    const conditions = changes.map(({ peer }) => hasLease(keys.reservation(peer, self), session.lease));
    // Conditions alone are looked at by one member without the others: a read makes it ask the majority.
    return (await client.txn(conditions, [rangeOf(keys.record(self))])).succeeded;
  }

  async #tell(changes: readonly ReservationChange[]): Promise<void> {
    changes.forEach(({ peer }) => this.#mayBeWritten(peer));
    await this.#o.session.commit(changes.map((change) => this.#operation(change)));
    changes.forEach((change) => this.#isWritten(change));
  }

  #mayBeWritten(peer: string): void {
    const written = this.#written.get(peer);
    if (written === undefined) this.#written.set(peer, { endsAt: Infinity, isSure: false });
    else written.isSure = false;
  }

  #isWritten({ peer, ttlMs }: ReservationChange): void {
    if (ttlMs === undefined) {
      this.#written.delete(peer);
      return;
    }
    const endsAt = this.#o.clock.now() + ttlMs;
    this.#written.set(peer, { endsAt, isSure: true });
    this.#nextEndAt = Math.min(this.#nextEndAt, endsAt);
  }

  #operation({ peer, ttlMs }: ReservationChange): Operation {
    const { keys, self, epoch, session } = this.#o;
    const key = keys.reservation(peer, self);
    return ttlMs === undefined ? deleteOf(key) : putOf(key, encodeReservation(epoch, ttlMs), session.lease);
  }

  /** Changes reach the store in the order in which they were told. */
  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    await turn;
  }
}

/** A transaction may name a key once: the newest change of a peer counts. */
function newest(changes: readonly ReservationChange[]): ReservationChange[] {
  const byPeer = new Map<string, ReservationChange>();
  for (const change of changes) {
    byPeer.delete(change.peer);
    byPeer.set(change.peer, change);
  }
  return [...byPeer.values()];
}

function batches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH));
}
