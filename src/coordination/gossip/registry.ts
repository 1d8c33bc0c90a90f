import type { TimerHandle } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import type { Registry, ReservationChange, SharedRevocations, Usage } from '../backend.ts';
import { LINK_KINDS } from '../links.ts';
import type { RegistryOptions } from '../registry-options.ts';
import { Author } from './author.ts';
import { Health } from './health.ts';
import { Knowledge } from './knowledge.ts';
import { MAX_RECORD_BYTES, decodeGossip } from './messages.ts';
import type { Run } from './messages.ts';
import { GossipMetrics } from './metrics.ts';
import { Others } from './others.ts';
import { Outbox } from './outbox.ts';
import { RevocationLists } from './revocation-lists.ts';
import { usageKey } from './shard.ts';
import { Sync } from './sync.ts';
import { UsageBook } from './usage-book.ts';
import { UsageFile } from './usage-file.ts';

/** A dead relay is found dead within this of the end of its lease. */
const TICK_MS = 250;

/** Streams and files are looked after once a second, windows of usage that are over once a minute. */
const TICKS_A_SECOND = 4;
const TICKS_A_MINUTE = 60 * TICKS_A_SECOND;

/** A relay that stops waits no longer than this for others to hear it. */
const LEAVE_DEADLINE_MS = 500;

/** A renewal that moves the end by less is not told again when all is. */
const SAME_END_MS = 1_000;

const EMPTY = new Uint8Array();

/** Carries messages to all relays; some may be lost. */
export interface Carrier {
  start(): Promise<void>;
  stop(): Promise<void>;
  publish(message: Uint8Array): void;
  mend(): void;
}

export type MakeCarrier = (metrics: GossipMetrics, onMessage: (from: string, message: Uint8Array) => void) => Carrier;

/** The registry that lives in the relays themselves: each says what changes, and each remembers all. */
export class GossipRegistry implements Registry {
  readonly name = 'gossip';
  readonly #o: RegistryOptions;
  readonly #self: Run;
  readonly #book = new UsageBook();
  readonly #lists: RevocationLists;
  readonly #knowledge: Knowledge;
  readonly #outbox: Outbox;
  readonly #carrier: Carrier;
  readonly #sync: Sync;
  readonly #file: UsageFile;
  readonly #health: Health;
  #ticks = 0;
  #timer: TimerHandle | undefined;
  #endNews: (() => void) | undefined;

  constructor(options: RegistryOptions, makeCarrier: MakeCarrier, random: () => number = Math.random) {
    const { self, epoch, listener, proofs, clock, log, links, dataDir } = options;
    this.#o = options;
    this.#lists = new RevocationLists(proofs);
    this.#self = { relay: self, epoch };
    const author = new Author(self, epoch, (name) => this.#book.bytesOf(this.#self, name));
    const others = new Others({ self: this.#self, listener, proofs, clock, log });
    const metrics = new GossipMetrics(options.metrics, () => others.reservationCount());
    this.#knowledge = new Knowledge({ author, others, book: this.#book, lists: this.#lists, clock, onList: (list) => listener.revocations(list) });
    this.#carrier = makeCarrier(metrics, (from, message) => this.#heard(from, message));
    this.#outbox = new Outbox({ author, lists: this.#lists, clock, publish: (message) => this.#carrier.publish(message), others: () => links.members().length });
    this.#sync = new Sync({ links, knowledge: this.#knowledge, proofs, clock, log, metrics, random });
    this.#file = new UsageFile({ dataDir, book: this.#book, clock, log });
    this.#health = new Health({ others, links, clock, onChange: (problem) => listener.health(problem) });
  }

  get problem(): string | undefined {
    return this.#health.problem;
  }

  async start(): Promise<void> {
    await this.#file.load();
    this.#health.start();
    this.#knowledge.others.clear();
    await this.#carrier.start();
    this.#endNews = this.#o.links.answer(LINK_KINDS.news, (from, message) => {
      this.#heard(from, message);
      return EMPTY;
    });
    this.#sync.start();
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#outbox.stop();
    this.#sync.stop();
    this.#endNews?.();
    await this.#carrier.stop();
    await this.#file.write();
  }

  // oxlint-disable-next-line typescript/require-await -- told in the background; what is wrong is thrown as a rejection.
  async beat(record: Uint8Array): Promise<void> {
    if (this.#knowledge.others.isFenced) throw new RelaydError('FENCED', 'another process runs with this identity, and began later');
    if (record.byteLength > MAX_RECORD_BYTES) throw new RelaydError('BODY_TOO_LARGE', `a record has at most ${MAX_RECORD_BYTES} bytes`);
    this.#knowledge.author.beat(record, this.#now);
    this.#outbox.flush();
  }

  async leave(): Promise<void> {
    this.#knowledge.author.leave(this.#now);
    const messages = this.#outbox.rest();
    messages.forEach((message) => this.#carrier.publish(message));
    // Gossip does not say when it has been heard; this relay stops, so each one is told.
    await Promise.all(this.#o.links.members().flatMap((relay) => messages.map((message) => this.#tell(relay, message))));
  }

  publish(changes: readonly ReservationChange[]): Promise<void> {
    const { author } = this.#knowledge;
    changes.forEach(({ peer, ttlMs }) => (ttlMs === undefined ? author.end(peer, this.#now) : author.hold(peer, ttlMs, this.#now)));
    this.#outbox.soon();
    return Promise.resolve();
  }

  publishAll(held: readonly ReservationChange[]): Promise<void> {
    const own = this.#knowledge.author.shard.held;
    const kept = new Set(held.map(({ peer }) => peer));
    const ended = [...own.since(0)].flatMap(({ peer }) => (kept.has(peer) ? [] : [{ peer, ttlMs: undefined }]));
    const isNews = ({ peer, ttlMs = 0 }: ReservationChange): boolean => Math.abs((own.get(peer)?.expiresAt ?? -Infinity) - this.#now - ttlMs) > SAME_END_MS;
    return this.publish([...ended, ...held.filter(isNews)]);
  }

  holders(peer: string, signal: AbortSignal): Promise<string[]> {
    if (signal.aborted) return Promise.reject(new RelaydError('CLOSED', 'nobody waits for the answer'));
    const { author, others } = this.#knowledge;
    const shards = [author.shard, ...others.live().flatMap((relay) => others.shard(relay) ?? [])];
    const holding = shards.flatMap(({ relay, held }) => {
      const own = held.get(peer);
      return own === undefined || own.expiresAt <= this.#now ? [] : [{ relay, toldAt: own.toldAt }];
    });
    return Promise.resolve(holding.sort((a, b) => b.toldAt - a.toldAt).map(({ relay }) => relay));
  }

  report(usage: readonly Usage[], signal: AbortSignal): Promise<number[]> {
    if (signal.aborted) return Promise.reject(new RelaydError('CLOSED', 'nobody waits for the answer'));
    const { revision } = this.#book;
    const totals = usage.map((used) => this.#count(used));
    if (this.#book.revision !== revision) this.#outbox.soon();
    return Promise.resolve(totals);
  }

  tellRevocations(list: SharedRevocations): Promise<void> {
    const news = this.#lists.take(list);
    if (news !== undefined) this.#outbox.tell(news);
    return Promise.resolve();
  }

  get #now(): number {
    return this.#o.clock.now();
  }

  /** What the book has no room for is counted by this relay alone. */
  #count(usage: Usage): number {
    const { key, window, bytes } = usage;
    if (this.#book.raise(this.#self, usage, this.#o.clock.wall())) this.#knowledge.author.counted(key, window, this.#now);
    return this.#book.total(key, window) + Math.max(0, bytes - this.#book.bytesOf(this.#self, usageKey(window, key)));
  }

  /** @throws RelaydError MALFORMED_MESSAGE */
  #heard(from: string, bytes: Uint8Array): void {
    const { delta, marks, lists } = decodeGossip(bytes);
    if (delta.relay !== from) throw new RelaydError('MALFORMED_MESSAGE', 'a relay speaks of itself only');
    const behind = this.#knowledge.absorb(delta);
    if (behind !== undefined) this.#sync.gap(behind);
    this.#knowledge.takeLists(lists);
    const missing = this.#lists.missing(marks);
    if (missing.length > 0) this.#sync.missing(missing, from);
    this.#health.check();
  }

  async #tell(relay: string, message: Uint8Array): Promise<void> {
    const { clock, links, log } = this.#o;
    try {
      await withDeadline(LEAVE_DEADLINE_MS, clock, [], (signal) => links.ask(relay, LINK_KINDS.news, message, signal));
    } catch (error) {
      log.debug({ relay, error: errorMessage(error) }, 'a relay did not hear that this one leaves');
    }
  }

  #arm(): void {
    this.#timer = this.#o.clock.setTimer(() => {
      this.#tick();
      this.#arm();
    }, TICK_MS);
  }

  #tick(): void {
    const { author, others } = this.#knowledge;
    others.tick();
    author.shard.tidy(this.#now);
    this.#health.check();
    this.#ticks++;
    if (this.#ticks % TICKS_A_SECOND === 0) {
      this.#carrier.mend();
      this.#file.writeSometimes();
    }
    if (this.#ticks % TICKS_A_MINUTE === 0) this.#knowledge.forgetOldUsage();
  }
}
