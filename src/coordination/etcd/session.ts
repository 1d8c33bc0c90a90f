import type { Clock } from '../../lib/clock.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { LEASE_MS } from '../backend.ts';
import type { Proofs } from '../proofs.ts';
import type { EtcdClient } from './client.ts';
import type { Keys } from './keys.ts';
import { NO_LEASE, hasLease, isOfRevision, putOf } from './messages.ts';
import type { Condition, Entry, Operation } from './messages.ts';
import { EtcdRefusal } from './refusal.ts';
import { decodeRecord, encodeRecord } from './values.ts';
import type { RecordValue } from './values.ts';

/** etcd counts leases in whole seconds. */
const LEASE_SECONDS = Math.ceil(LEASE_MS / 1_000);

/**
 * A record that does not change is written this often all the same: what comes back on the watch shows that the member behind it follows the
 * majority. Seldom, because each write goes to all members' discs and to all relays.
 */
const WRITE_AT_LEAST_EVERY_MS = 3_000;

/** A try fails only when another process of this identity begins at the same moment, or somebody writes in its name. */
const MAX_TRIES = 3;

export interface SessionOptions {
  readonly self: string;
  readonly epoch: number;
  readonly keys: Keys;
  readonly client: EtcdClient;
  readonly proofs: Pick<Proofs, 'provesNewer'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** This relay's record has been written at this revision. */
  readonly onWritten: (revision: number) => void;
  /** A lease of this run was lost: what hung on it is gone. */
  readonly onLost: () => void;
  readonly onFenced: () => void;
  /** Whether only a write can show that the store works again. */
  readonly mustWrite: () => boolean;
}

/** This relay's lease, and its record that hangs on it: all that it writes is written only while that stands. */
export class Session {
  readonly #o: SessionOptions;
  readonly #key: string;
  #lease: string | undefined;
  #record: Uint8Array = Buffer.of();
  #writtenAt = -Infinity;
  #writtenRevision = 0;
  #isFirst = true;
  #isFenced = false;

  constructor(options: SessionOptions) {
    this.#o = options;
    this.#key = options.keys.record(options.self);
  }

  /** @throws RelaydError STORE_UNAVAILABLE, FENCED */
  async beat(record: Uint8Array): Promise<void> {
    const { client } = this.#o;
    const lease = this.#lease;
    if (lease === undefined || !(await client.keepAlive(lease))) return await this.#establish(record);
    if (this.#isDue(record) && !(await this.#write(lease, record))) await this.#establish(record);
  }

  /** The lease on which this relay's data hangs. @throws RelaydError STORE_UNAVAILABLE where there is none now */
  get lease(): string {
    if (this.#lease === undefined) throw new RelaydError('STORE_UNAVAILABLE', 'this relay has not announced itself in etcd');
    return this.#lease;
  }

  /**
   * Does `operations` if this relay's lease and record stand, else nothing.
   *
   * @throws RelaydError STORE_UNAVAILABLE, also when they do not: the next beat begins anew
   */
  async commit(operations: readonly Operation[], signal?: AbortSignal): Promise<Entry[][]> {
    const lease = this.lease;
    try {
      const { succeeded, found } = await this.#o.client.txn([this.#holds(lease)], operations, [], signal);
      if (succeeded) return found;
    } catch (error) {
      if (!(error instanceof EtcdRefusal)) throw error;
    }
    this.drop(lease);
    throw new RelaydError('STORE_UNAVAILABLE', 'etcd has lost this relay\'s lease: it is announced anew');
  }

  /** The store has lost the lease, or what hung on it. */
  drop(lease = this.#lease): void {
    if (this.#lease === lease) this.#lease = undefined;
  }

  /** This stands at the relay's own key since this revision, whoever wrote it. Answers whether that took this relay's place without a right to it. */
  async saw(value: RecordValue, revision: number): Promise<boolean> {
    if (!this.#claimsNewer(value)) return false;
    if (!(await this.#o.proofs.provesNewer(value.record))) return this.sawGone(revision);
    this.#fence();
    return false;
  }

  /** The key went at this revision. Answers whether that took away what this relay has written last. */
  sawGone(revision: number): boolean {
    if (this.#lease === undefined || revision < this.#writtenRevision) return false;
    this.#lease = undefined;
    return true;
  }

  /** Says that this relay goes. @throws RelaydError STORE_UNAVAILABLE */
  async leave(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease === undefined) return;
    const { client, epoch } = this.#o;
    // Who watches sees the word before the lease goes with all that hangs on it; should the lease stay for a while, nobody counts on this relay.
    await client.txn([this.#holds(lease)], [putOf(this.#key, encodeRecord({ epoch, hasLeft: true, record: Buffer.of() }), lease)]);
    await client.revoke(lease);
  }

  async #establish(record: Uint8Array): Promise<void> {
    this.#lease = undefined;
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const [before] = (await this.#o.client.range(this.#key)).entries;
      const isForged = await this.#isForged(before);
      if (await this.#begin(record, before, isForged)) return;
    }
    throw new RelaydError('STORE_UNAVAILABLE', 'another process, or somebody without this relay\'s key, writes the relay\'s record in etcd at the same time');
  }

  /**
   * Puts the record under a new lease in place of `before`, and then ends the lease that was: the record is there at every moment. A lease that was put to
   * a forged record may be another relay's.
   */
  async #begin(record: Uint8Array, before: Entry | undefined, isForged: boolean): Promise<boolean> {
    const { client, log } = this.#o;
    const { id, ttlSeconds } = await client.grant(LEASE_SECONDS);
    const value = encodeRecord({ epoch: this.#o.epoch, hasLeft: false, record });
    const { succeeded, header } = await client.txn([isOfRevision(this.#key, before?.modRevision ?? 0)], [putOf(this.#key, value, id)]);
    if (!succeeded) {
      await client.revoke(id);
      return false;
    }
    if (before !== undefined && before.lease !== NO_LEASE && !isForged) await client.revoke(before.lease);
    if (ttlSeconds > LEASE_SECONDS) log.warn({ ttlSeconds, wanted: LEASE_SECONDS }, 'etcd gives longer leases than are asked for (its --election-timeout is long): a dead relay is noticed later');
    this.#began(id, record, header.revision);
    return true;
  }

  #began(lease: string, record: Uint8Array, revision: number): void {
    const isFirst = this.#isFirst;
    this.#lease = lease;
    this.#isFirst = false;
    this.#isFenced = false;
    this.#wrote(record, revision);
    if (!isFirst) this.#o.onLost();
  }

  #wrote(record: Uint8Array, revision: number): void {
    this.#record = record;
    this.#writtenAt = this.#o.clock.now();
    this.#writtenRevision = revision;
    this.#o.onWritten(revision);
  }

  #isDue(record: Uint8Array): boolean {
    const { clock, mustWrite } = this.#o;
    return clock.now() - this.#writtenAt >= WRITE_AT_LEAST_EVERY_MS || mustWrite() || Buffer.compare(record, this.#record) !== 0;
  }

  /** Whether the lease stood. */
  async #write(lease: string, record: Uint8Array): Promise<boolean> {
    const { client, epoch } = this.#o;
    const put = putOf(this.#key, encodeRecord({ epoch, hasLeft: false, record }), lease);
    try {
      const { succeeded, header } = await client.txn([this.#holds(lease)], [put]);
      if (succeeded) this.#wrote(record, header.revision);
      return succeeded;
    } catch (error) {
      if (error instanceof EtcdRefusal) return false;
      throw error;
    }
  }

  #holds(lease: string): Condition {
    return hasLease(this.#key, lease);
  }

  /** Whether somebody has written a record of a newer run there that this relay's key has not signed. @throws RelaydError FENCED when it has */
  async #isForged(entry: Entry | undefined): Promise<boolean> {
    const there = entry === undefined ? undefined : decodeRecord(entry.value);
    if (there === undefined || !this.#claimsNewer(there)) return false;
    if (!(await this.#o.proofs.provesNewer(there.record))) return true;
    this.#fence();
    throw new RelaydError('FENCED', `another process runs with this relay's identity: its epoch ${there.epoch} is newer than ${this.#o.epoch}`);
  }

  #claimsNewer({ epoch, hasLeft }: RecordValue): boolean {
    return epoch > this.#o.epoch && !hasLeft;
  }

  #fence(): void {
    this.#lease = undefined;
    if (this.#isFenced) return;
    this.#isFenced = true;
    this.#o.onFenced();
  }
}
