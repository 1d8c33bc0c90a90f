import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { peerText } from '../../lib/logger.ts';
import type { Registry, ReservationChange, SharedRevocations, Usage } from '../backend.ts';
import { guarded } from '../guarded-listener.ts';
import { Keys } from './keys.ts';
import type { Entry, WatchEvent } from './messages.ts';
import { makeRun } from './run.ts';
import type { EtcdOptions, Run } from './run.ts';
import { decodeRecord } from './values.ts';
import type { RecordValue } from './values.ts';

/** The cluster's registry in etcd. What lies where: docs/reference/cluster-etcd.md. */
export class EtcdRegistry implements Registry {
  readonly name = 'etcd';
  readonly #o: EtcdOptions;
  readonly #keys: Keys;
  #run: Run | undefined;
  /** Of the last beat: to announce at once what the store has lost. */
  #record: Uint8Array | undefined;
  #beating: Promise<void> | undefined;

  constructor(options: EtcdOptions) {
    this.#o = options;
    this.#keys = new Keys(options.config.cluster);
  }

  get problem(): string | undefined {
    return this.#run?.health.problem;
  }

  /** Begins, whether the store is there or not. @throws RelaydError FILE_UNREADABLE */
  async start(): Promise<void> {
    this.#run = this.#make();
    this.#run.watch.start();
    try {
      await this.#watched(({ client }) => client.range(this.#keys.record(this.#o.self)));
    } catch (error) {
      this.#o.log.warn({ error: peerText(errorMessage(error)) }, 'etcd is away: it is tried on');
    }
  }

  async stop(): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    this.#record = undefined;
    run?.health.close();
    run?.gateway.close();
    await run?.watch.stop();
    run?.roster.clear();
    await this.#beating?.catch(() => {});
  }

  /** A beat that comes while one is under way is that one. */
  async beat(record: Uint8Array): Promise<void> {
    this.#record = record;
    this.#beating ??= this.#watched(async ({ session, health, reservations, lists }) => {
      await session.beat(record);
      health.works();
      await reservations.endOld();
      await lists.tellLost();
    }).finally(() => (this.#beating = undefined));
    await this.#beating;
  }

  async leave(): Promise<void> {
    this.#record = undefined;
    await this.#beating?.catch(() => {});
    try {
      await this.#running().session.leave();
    } catch (error) {
      this.#o.log.debug({ error: peerText(errorMessage(error)) }, 'etcd could not be told that this relay goes: its lease ends by itself');
    }
  }

  async publish(changes: readonly ReservationChange[]): Promise<void> {
    await this.#watched(({ reservations }) => reservations.publish(changes));
  }

  async publishAll(held: readonly ReservationChange[]): Promise<void> {
    await this.#watched(({ reservations }) => reservations.publishAll(held));
  }

  /** A store that takes no writes may answer, and has not been told what is new. */
  async holders(peer: string, signal: AbortSignal): Promise<string[]> {
    if (this.problem !== undefined) throw new RelaydError('STORE_UNAVAILABLE', this.problem);
    return await this.#watched(({ reservations }) => reservations.holders(peer, signal));
  }

  async report(usage: readonly Usage[], signal: AbortSignal): Promise<number[]> {
    return await this.#watched(({ usages }) => usages.report(usage, signal));
  }

  async tellRevocations(list: SharedRevocations): Promise<void> {
    await this.#watched(({ lists }) => lists.tell(list));
  }

  #make(): Run {
    const listener = guarded(this.#o.listener, this.#o.log);
    const hooks = { onReplaced: () => this.#replaced(), onAll: (entries: readonly Entry[]) => this.#sawAll(entries), onEvent: (event: WatchEvent) => this.#saw(event) };
    return makeRun(this.#o, { keys: this.#keys, listener, ...hooks });
  }

  #running(): Run {
    if (this.#run === undefined) throw new RelaydError('CLOSED', 'the registry does not run');
    return this.#run;
  }

  /** Does `work`; that the store does not do it is a problem from now on. */
  async #watched<T>(work: (run: Run) => Promise<T>): Promise<T> {
    const run = this.#running();
    try {
      return await work(run);
    } catch (error) {
      if (error instanceof RelaydError && error.code === 'STORE_UNAVAILABLE' && run === this.#run) run.health.fails(errorMessage(error));
      throw error;
    }
  }

  #sawAll(entries: readonly Entry[]): void {
    const records = new Map<string, RecordValue>();
    entries.forEach((entry) => {
      const relay = this.#keys.relayOf(entry.key);
      const value = decodeRecord(entry.value);
      if (relay === undefined || value === undefined) this.#sawList(entry);
      else if (relay === this.#o.self) this.#sawOwn(entry, value);
      else records.set(relay, value);
    });
    this.#run?.roster.hasOnly(records);
  }

  #saw({ isDelete, entry }: WatchEvent): void {
    const relay = this.#keys.relayOf(entry.key);
    const value = decodeRecord(entry.value);
    if (relay === this.#o.self) this.#sawOwn(entry, isDelete ? undefined : value);
    else if (relay === undefined) this.#sawList(entry);
    else if (isDelete) this.#run?.roster.lacks(relay);
    else if (value !== undefined) this.#run?.roster.has(relay, value);
  }

  #sawList(entry: Entry): void {
    const authority = this.#keys.authorityOf(entry.key);
    if (authority !== undefined) this.#run?.lists.saw(authority, entry);
  }

  #sawOwn(entry: Entry, value: RecordValue | undefined): void {
    if (value !== undefined) void this.#sawRecord(value, entry.modRevision);
    else if (this.#run?.session.sawGone(entry.modRevision) === true) this.#announceAgain();
  }

  /** What somebody wrote in this relay's name without its key is written over. */
  async #sawRecord(value: RecordValue, revision: number): Promise<void> {
    if ((await this.#run?.session.saw(value, revision)) === true) this.#announceAgain();
  }

  /** At once, so that no other relay takes this one for gone. */
  #announceAgain(): void {
    if (this.#record === undefined) return;
    this.beat(this.#record).catch((error: unknown) => this.#o.log.debug({ error: peerText(errorMessage(error)) }, 'this relay could not be announced anew'));
  }

  #replaced(): void {
    this.#o.log.warn('etcd is not the store any more that it was (restored, or of another cluster): all is told again');
    this.#run?.watch.readAnew();
    this.#run?.session.drop();
    this.#announceAgain();
  }
}
