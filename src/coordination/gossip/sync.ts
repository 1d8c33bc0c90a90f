import type { Clock, TimerHandle } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { LINK_KINDS } from '../links.ts';
import type { Links } from '../links.ts';
import { answerTo } from './answers.ts';
import type { Knowledge } from './knowledge.ts';
import type { ListMark } from './messages.ts';
import type { GossipMetrics } from './metrics.ts';
import { FORGET_AFTER_MS } from './others.ts';
import { Shard } from './shard.ts';
import { decodeCells, decodeDigest, decodeLists, decodePage, decodeQuestion, decodeRuns, encodeQuestion } from './sync-messages.ts';
import type { Digest, Question, RunHash, ShardMark, ShardPage } from './sync-messages.ts';

/** One other relay, chosen at random: what one missed, all have within a few seconds however it was missed. */
const EXCHANGE_EVERY_MS = 1_000;

/** What was overtaken by a later message is usually there by now. */
const GAP_MS = 150;

const ASK_DEADLINE_MS = 3_000;

/** Two relays that cannot agree on what was used (one is full, clocks differ by a day) do not tell each other all of it every second. */
const PAST_EVERY_MS = 3_000;

/** A shard of a hundred thousand reservations has some thirty. */
const MAX_PAGES = 10_000;

interface SyncOptions {
  readonly links: Links;
  readonly knowledge: Knowledge;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: GossipMetrics;
  /** From 0 to 1. */
  readonly random: () => number;
}

/**
 * Anti-entropy: two relays compare what they know, in short, and each fetches what it lacks. It makes good whatever gossip lost: messages, the time in
 * which a relay was away, partitions.
 */
export class Sync {
  readonly #o: SyncOptions;
  readonly #exchanging = new Set<string>();
  /** Shards and lists that are being fetched. */
  readonly #fetching = new Set<string>();
  readonly #gaps = new Set<string>();
  #pastAt = new Map<string, number>();
  #stopped = new AbortController();
  #timer: TimerHandle | undefined;
  #ends: (() => void)[] = [];

  constructor(options: SyncOptions) {
    this.#o = options;
  }

  start(): void {
    const { links } = this.#o;
    this.#stopped = new AbortController();
    this.#ends = [
      links.answer(LINK_KINDS.sync, (from, question) => this.#answer(from, question)),
      links.onChange((relay, isMember) => {
        if (isMember) void this.#exchange(relay);
        else this.#pastAt.delete(relay);
      }),
    ];
    links.members().forEach((relay) => void this.#exchange(relay));
    this.#arm();
  }

  stop(): void {
    this.#stopped.abort(new RelaydError('CLOSED', 'gossip has stopped'));
    this.#timer?.cancel();
    this.#ends.forEach((end) => end());
    this.#ends = [];
    this.#pastAt.clear();
  }

  /** Changes of this shard are missing: asked for soon, should they not come by themselves. */
  gap({ relay }: Shard): void {
    if (this.#gaps.has(relay)) return;
    this.#gaps.add(relay);
    this.#o.clock.setTimer(() => {
      this.#gaps.delete(relay);
      const shard = this.#o.knowledge.others.shard(relay);
      if (shard !== undefined && shard.known.complete < shard.known.highest) this.#exchangeAbout(relay);
    }, GAP_MS);
  }

  /** `from` has told that these lists are there. */
  missing(lists: readonly ListMark[], from: string): void {
    const member = this.#o.links.members().includes(from) ? from : this.#someone();
    if (member !== undefined) void this.#try(member, () => this.#fetchLists(member, lists));
  }

  #arm(): void {
    this.#timer = this.#o.clock.setTimer(() => {
      this.#exchangeAbout(undefined);
      this.#arm();
    }, EXCHANGE_EVERY_MS);
  }

  #exchangeAbout(relay: string | undefined): void {
    const { links } = this.#o;
    const member = relay !== undefined && links.members().includes(relay) ? relay : this.#someone();
    if (member !== undefined) void this.#exchange(member);
  }

  #someone(): string | undefined {
    const members = this.#o.links.members();
    return members[Math.floor(this.#o.random() * members.length)];
  }

  #answer(from: string, bytes: Uint8Array): Uint8Array {
    const question = decodeQuestion(bytes);
    const answer = answerTo(question, this.#o.knowledge, this.#o.clock);
    if (question.kind === 'digest') void this.#try(from, () => this.#catchUp(from, question.digest));
    this.#o.metrics.synced(bytes.byteLength, answer.byteLength);
    return answer;
  }

  async #exchange(member: string): Promise<void> {
    if (this.#exchanging.has(member)) return;
    this.#exchanging.add(member);
    await this.#try(member, async () => {
      const answer = await this.#ask(member, { kind: 'digest', digest: this.#o.knowledge.digest() });
      await this.#catchUp(member, decodeDigest(answer));
      this.#o.metrics.exchanged('ok');
    });
    this.#exchanging.delete(member);
  }

  async #try(member: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      this.#o.metrics.exchanged('failed');
      this.#o.log.debug({ relay: member, error: errorMessage(error) }, 'what another relay knows could not be compared');
    }
  }

  async #catchUp(member: string, digest: Digest): Promise<void> {
    const { knowledge } = this.#o;
    digest.shards.filter(({ relay, hasLeft }) => knowledge.isSelf(relay) && !hasLeft).forEach((mark) => knowledge.others.metSelf(mark));
    await this.#fetchLists(member, knowledge.lists.missing(digest.lists));
    for (const mark of digest.shards.filter((shard) => this.#lacks(shard))) {
      await this.#once(mark.relay, () => this.#fetchShard(member, mark));
    }
    if (Buffer.compare(digest.pastUsage, knowledge.pastUsage()) !== 0) await this.#fetchPast(member);
  }

  #lacks({ relay, epoch, complete, ageMs }: ShardMark): boolean {
    const { knowledge } = this.#o;
    if (knowledge.isSelf(relay) || ageMs >= FORGET_AFTER_MS) return false;
    const shard = knowledge.others.shard(relay);
    return shard === undefined || epoch > shard.epoch || (epoch === shard.epoch && complete > shard.known.complete);
  }

  /** What is being fetched from one relay is not fetched from another too. */
  async #once(name: string, work: () => Promise<void>): Promise<void> {
    if (this.#fetching.has(name)) return;
    this.#fetching.add(name);
    await work().finally(() => this.#fetching.delete(name));
  }

  async #fetchLists(member: string, lists: readonly ListMark[]): Promise<void> {
    for (const { authority } of lists) {
      await this.#once(`list ${authority}`, async () => {
        this.#o.knowledge.takeLists(decodeLists(await this.#ask(member, { kind: 'list', authority })));
      });
    }
  }

  async #fetchShard(member: string, { relay, epoch }: ShardMark): Promise<void> {
    const known = this.#o.knowledge.shardOf({ relay, epoch });
    const from = known?.known.complete ?? 0;
    const first = await this.#page(member, { relay, epoch, from, isWhole: from === 0 });
    if (first?.isWhole === true) await this.#fetchWhole(member, first);
    else await this.#fetchOn(member, first);
  }

  async #fetchOn(member: string, first: ShardPage | undefined): Promise<void> {
    for await (const page of this.#pages(member, first)) this.#o.knowledge.absorb(page.delta);
  }

  async #fetchWhole(member: string, first: ShardPage): Promise<void> {
    const { knowledge } = this.#o;
    const fresh = new Shard(first.delta.relay, first.delta.epoch);
    for await (const page of this.#pages(member, first)) {
      knowledge.collect(fresh, page.delta);
      fresh.ended.raiseHorizon(page.horizon);
    }
    knowledge.others.join(fresh);
  }

  async *#pages(member: string, first: ShardPage | undefined): AsyncGenerator<ShardPage> {
    let page = first;
    for (let i = 0; page !== undefined && i < MAX_PAGES; i++) {
      yield page;
      const { relay, epoch, to }: ShardPage['delta'] = page.delta;
      page = page.hasMore ? await this.#page(member, { relay, epoch, from: to, isWhole: page.isWhole }) : undefined;
    }
  }

  async #page(member: string, shard: { relay: string; epoch: number; from: number; isWhole: boolean }): Promise<ShardPage | undefined> {
    const page = decodePage(await this.#ask(member, { kind: 'shard', shard }));
    const isOther = page !== undefined && (page.delta.relay !== shard.relay || page.delta.epoch !== shard.epoch);
    if (isOther) throw new RelaydError('MALFORMED_MESSAGE', 'it tells of another relay than was asked for');
    return page;
  }

  async #fetchPast(member: string): Promise<void> {
    const { clock, knowledge } = this.#o;
    if (clock.now() < (this.#pastAt.get(member) ?? -Infinity) + PAST_EVERY_MS) return;
    this.#pastAt.set(member, clock.now());
    const runs = decodeRuns(await this.#ask(member, { kind: 'runs' }));
    for (const run of runs.filter(({ hash, ...own }) => Buffer.compare(hash, knowledge.book.hashOf(own)) !== 0)) {
      await this.#fetchCells(member, run);
    }
  }

  async #fetchCells(member: string, { relay, epoch }: RunHash): Promise<void> {
    const { clock, knowledge } = this.#o;
    let skip = 0;
    for (let hasMore = true; hasMore; ) {
      const page = decodeCells(await this.#ask(member, { kind: 'cells', cells: { relay, epoch, skip } }));
      page.cells.forEach((cell) => knowledge.book.raise({ relay, epoch }, cell, clock.wall()));
      skip += page.cells.length;
      hasMore = page.hasMore && page.cells.length > 0;
    }
  }

  async #ask(member: string, question: Question): Promise<Uint8Array> {
    const { clock, links, metrics } = this.#o;
    const bytes = encodeQuestion(question);
    const answer = await withDeadline(ASK_DEADLINE_MS, clock, [this.#stopped.signal], (signal) => links.ask(member, LINK_KINDS.sync, bytes, signal));
    metrics.synced(answer.byteLength, bytes.byteLength);
    return answer;
  }
}
