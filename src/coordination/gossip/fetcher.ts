import type { Clock } from '../../lib/clock.ts';
import { withDeadline } from '../../lib/deadline.ts';
import { RelaydError } from '../../lib/errors.ts';
import { LINK_KINDS } from '../links.ts';
import type { Links } from '../links.ts';
import type { Proofs } from '../proofs.ts';
import type { Knowledge } from './knowledge.ts';
import type { ListMark } from './messages.ts';
import type { GossipMetrics } from './metrics.ts';
import { FORGET_AFTER_MS } from './others.ts';
import { Shard } from './shard.ts';
import { decodeCells, decodeLists, decodePage, decodeRuns, encodeQuestion } from './sync-messages.ts';
import type { Digest, Question, RunHash, ShardMark, ShardPage } from './sync-messages.ts';

const ASK_DEADLINE_MS = 3_000;

/** Two relays that cannot agree on what was used (one is full, clocks differ by a day) do not tell each other all of it every second. */
const PAST_EVERY_MS = 3_000;

/** A shard of a hundred thousand reservations has some thirty. */
const MAX_PAGES = 10_000;

interface FetcherOptions {
  readonly links: Links;
  readonly knowledge: Knowledge;
  readonly proofs: Pick<Proofs, 'isOfRun'>;
  readonly clock: Clock;
  readonly metrics: GossipMetrics;
}

/** Fetches from another relay what this one lacks. What fails is thrown, and tried again with the next comparison. */
export class Fetcher {
  readonly #o: FetcherOptions;
  /** Shards and lists that are being fetched. */
  readonly #fetching = new Set<string>();
  readonly #pastAt = new Map<string, number>();
  #stopped = new AbortController();

  constructor(options: FetcherOptions) {
    this.#o = options;
  }

  get isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  start(): void {
    this.#stopped = new AbortController();
  }

  stop(): void {
    this.#stopped.abort(new RelaydError('CLOSED', 'gossip has stopped'));
    this.#pastAt.clear();
  }

  /** There is no link to it any more. */
  lost(member: string): void {
    this.#pastAt.delete(member);
  }

  async catchUp(member: string, digest: Digest): Promise<void> {
    const { knowledge } = this.#o;
    for (const mark of digest.shards.filter(({ relay, hasLeft }) => knowledge.isSelf(relay) && !hasLeft)) await this.#meetSelf(member, mark);
    await this.fetchLists(member, knowledge.lists.missing(digest.lists));
    for (const mark of digest.shards.filter((shard) => this.#lacks(shard))) {
      await this.#once(mark.relay, () => this.#fetchShard(member, mark));
    }
    if (Buffer.compare(digest.pastUsage, knowledge.pastUsage()) !== 0) await this.#fetchPast(member);
  }

  /** A run of this very relay, as `member` tells: its record says whether it is one. */
  async #meetSelf(member: string, mark: ShardMark): Promise<void> {
    const { others } = this.#o.knowledge;
    if (!others.claimsNewer(mark)) return;
    await this.#once(mark.relay, async () => {
      const { relay, epoch } = mark;
      const first = await this.#page(member, { relay, epoch, from: 0, isWhole: true });
      let record: Uint8Array | undefined;
      for await (const { delta } of this.#pages(member, first)) {
        record = delta.record?.bytes;
        if (record !== undefined) break;
      }
      await others.metSelf({ ...mark, record: record ?? new Uint8Array() });
    });
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

  async fetchLists(member: string, lists: readonly ListMark[]): Promise<void> {
    for (const { authority } of lists) {
      await this.#once(`list ${authority}`, async () => {
        this.#o.knowledge.takeLists(decodeLists(await this.ask(member, { kind: 'list', authority })));
      });
    }
  }

  async #fetchShard(member: string, { relay, epoch }: ShardMark): Promise<void> {
    const known = this.#o.knowledge.shardOf({ relay, epoch });
    const from = known?.known.complete ?? 0;
    const first = await this.#page(member, { relay, epoch, from, isWhole: from === 0 });
    if (first?.isWhole === true) await this.#fetchWhole(member, first, known === undefined);
    else if (known !== undefined) await this.#fetchOn(member, first);
  }

  async #fetchOn(member: string, first: ShardPage | undefined): Promise<void> {
    for await (const page of this.#pages(member, first)) this.#o.knowledge.absorb(page.delta);
  }

  /** @param isNewRun it would take the place of what is known, and the relay's own word would not be heard any more if it were none */
  async #fetchWhole(member: string, first: ShardPage, isNewRun: boolean): Promise<void> {
    const { knowledge, proofs } = this.#o;
    const fresh = new Shard(first.delta.relay, first.delta.epoch);
    for await (const page of this.#pages(member, first)) {
      knowledge.collect(fresh, page.delta);
      fresh.ended.raiseHorizon(page.horizon);
    }
    if (isNewRun && !(await proofs.isOfRun(fresh.relay, fresh.epoch, fresh.record?.bytes ?? new Uint8Array()))) return;
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
    const page = decodePage(await this.ask(member, { kind: 'shard', shard }));
    const isOther = page !== undefined && (page.delta.relay !== shard.relay || page.delta.epoch !== shard.epoch);
    if (isOther) throw new RelaydError('MALFORMED_MESSAGE', 'it tells of another relay than was asked for');
    return page;
  }

  async #fetchPast(member: string): Promise<void> {
    const { clock, knowledge } = this.#o;
    if (clock.now() < (this.#pastAt.get(member) ?? -Infinity) + PAST_EVERY_MS) return;
    this.#pastAt.set(member, clock.now());
    const runs = decodeRuns(await this.ask(member, { kind: 'runs' }));
    for (const run of runs.filter(({ hash, ...own }) => Buffer.compare(hash, knowledge.book.hashOf(own)) !== 0)) {
      await this.#fetchCells(member, run);
    }
  }

  async #fetchCells(member: string, { relay, epoch }: RunHash): Promise<void> {
    const { clock, knowledge } = this.#o;
    let skip = 0;
    for (let hasMore = true; hasMore; ) {
      const page = decodeCells(await this.ask(member, { kind: 'cells', cells: { relay, epoch, skip } }));
      page.cells.forEach((cell) => knowledge.book.raise({ relay, epoch }, cell, clock.wall()));
      skip += page.cells.length;
      hasMore = page.hasMore && page.cells.length > 0;
    }
  }

  async ask(member: string, question: Question): Promise<Uint8Array> {
    const { clock, links, metrics } = this.#o;
    const bytes = encodeQuestion(question);
    const answer = await withDeadline(ASK_DEADLINE_MS, clock, [this.#stopped.signal], (signal) => links.ask(member, LINK_KINDS.sync, bytes, signal));
    metrics.synced(answer.byteLength, bytes.byteLength);
    return answer;
  }
}
