import type { Clock, TimerHandle } from '../../lib/clock.ts';
import { errorMessage } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { LINK_KINDS } from '../links.ts';
import type { Links } from '../links.ts';
import type { Proofs } from '../proofs.ts';
import { answerTo } from './answers.ts';
import { Fetcher } from './fetcher.ts';
import type { Knowledge } from './knowledge.ts';
import type { ListMark } from './messages.ts';
import type { GossipMetrics } from './metrics.ts';
import type { Shard } from './shard.ts';
import { decodeDigest, decodeQuestion } from './sync-messages.ts';

/** One other relay, chosen at random: what one missed, all have within a few seconds however it was missed. */
const EXCHANGE_EVERY_MS = 1_000;

/** What was overtaken by a later message is usually there by now. */
const GAP_MS = 150;

interface SyncOptions {
  readonly links: Links;
  readonly knowledge: Knowledge;
  readonly proofs: Pick<Proofs, 'isOfRun'>;
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
  readonly #fetcher: Fetcher;
  readonly #exchanging = new Set<string>();
  /** What others make this relay fetch, by what they are and have told: one of each at a time, however often they tell. */
  readonly #bidden = new Set<string>();
  readonly #gaps = new Set<string>();
  #timer: TimerHandle | undefined;
  #ends: (() => void)[] = [];

  constructor(options: SyncOptions) {
    this.#o = options;
    this.#fetcher = new Fetcher(options);
  }

  start(): void {
    const { links } = this.#o;
    this.#fetcher.start();
    this.#ends = [
      links.answer(LINK_KINDS.sync, (from, question) => this.#answer(from, question)),
      links.onChange((relay, isMember) => {
        if (isMember) void this.#exchange(relay);
        else this.#fetcher.lost(relay);
      }),
    ];
    links.members().forEach((relay) => void this.#exchange(relay));
    this.#arm();
  }

  stop(): void {
    this.#fetcher.stop();
    this.#timer?.cancel();
    this.#ends.forEach((end) => end());
    this.#ends = [];
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
    if (member !== undefined) void this.#asBidden(`lists ${from}`, member, () => this.#fetcher.fetchLists(member, lists));
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
    if (question.kind === 'digest') void this.#asBidden(`digest ${from}`, from, () => this.#fetcher.catchUp(from, question.digest));
    this.#o.metrics.synced(bytes.byteLength, answer.byteLength);
    return answer;
  }

  /** What is passed over is told again, with the next message or comparison. */
  async #asBidden(why: string, member: string, work: () => Promise<void>): Promise<void> {
    if (this.#bidden.has(why)) return;
    this.#bidden.add(why);
    await this.#try(member, work);
    this.#bidden.delete(why);
  }

  async #exchange(member: string): Promise<void> {
    if (this.#exchanging.has(member)) return;
    this.#exchanging.add(member);
    await this.#try(member, async () => {
      const answer = await this.#fetcher.ask(member, { kind: 'digest', digest: this.#o.knowledge.digest() });
      await this.#fetcher.catchUp(member, decodeDigest(answer));
      this.#o.metrics.exchanged('ok');
    });
    this.#exchanging.delete(member);
  }

  async #try(member: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#fetcher.isStopped) return;
      this.#o.metrics.exchanged('failed');
      this.#o.log.debug({ relay: member, error: errorMessage(error) }, 'what another relay knows could not be compared');
    }
  }
}
