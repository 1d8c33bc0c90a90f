import type { Clock } from '../../lib/clock.ts';
import type { SharedRevocations } from '../backend.ts';
import type { Author } from './author.ts';
import type { Delta } from './delta.ts';
import type { Run } from './messages.ts';
import type { Others } from './others.ts';
import type { RevocationLists } from './revocation-lists.ts';
import type { Shard } from './shard.ts';
import type { Digest, ShardMark } from './sync-messages.ts';
import { hashOfRuns } from './usage-book.ts';
import type { UsageBook } from './usage-book.ts';

interface KnowledgeOptions {
  readonly author: Author;
  readonly others: Others;
  readonly book: UsageBook;
  readonly lists: RevocationLists;
  readonly clock: Clock;
  readonly onList: (list: SharedRevocations) => void;
}

/** All that a relay knows of the cluster, its own part too: what deltas and lists go into, and digests come from. */
export class Knowledge {
  readonly author: Author;
  readonly others: Others;
  readonly book: UsageBook;
  readonly lists: RevocationLists;
  readonly #clock: Clock;
  readonly #onList: (list: SharedRevocations) => void;

  constructor({ author, others, book, lists, clock, onList }: KnowledgeOptions) {
    this.author = author;
    this.others = others;
    this.book = book;
    this.lists = lists;
    this.#clock = clock;
    this.#onList = onList;
  }

  /** @returns the shard, when changes of it are missing that lie before these */
  absorb(delta: Delta): Shard | undefined {
    this.#count(delta);
    const shard = this.others.absorb(delta);
    return shard !== undefined && shard.known.complete < delta.to ? shard : undefined;
  }

  /** A page of a shard that is being fetched whole, and joined when it is complete. */
  collect(fresh: Shard, delta: Delta): void {
    this.#count(delta);
    fresh.apply(delta, this.#clock.now());
  }

  takeLists(lists: readonly SharedRevocations[]): void {
    lists.flatMap((list) => this.lists.take(list) ?? []).forEach(this.#onList);
  }

  /** @returns the shard of this very run, this relay's own too */
  shardOf({ relay, epoch }: Run): Shard | undefined {
    const shard = this.isSelf(relay) ? this.author.shard : this.others.shard(relay);
    return shard?.epoch === epoch ? shard : undefined;
  }

  isSelf(relay: string): boolean {
    return relay === this.author.shard.relay;
  }

  digest(): Digest {
    const shards = [{ shard: this.author.shard, ageMs: 0 }, ...this.others.all()].map(({ shard, ageMs }) => mark(shard, ageMs));
    return { shards, lists: this.lists.marks(), pastUsage: this.pastUsage() };
  }

  pastUsage(): Uint8Array {
    return hashOfRuns(this.book, this.pastRuns());
  }

  /** Runs whose usage is kept though no shard of them is. */
  pastRuns(): Run[] {
    return this.book.runs().filter((run) => this.shardOf(run) === undefined);
  }

  /** Usage of windows that are long over. */
  forgetOldUsage(): void {
    this.book.forgetOld(this.#clock.wall());
    for (const shard of [this.author.shard, ...this.others.all().map((other) => other.shard)]) {
      [...shard.usage.keys()].filter((name) => this.book.bytesOf(shard, name) === 0).forEach((name) => shard.usage.delete(name));
    }
  }

  #count({ relay, epoch, usage }: Delta): void {
    usage.forEach((cell) => this.book.raise({ relay, epoch }, cell, this.#clock.wall()));
  }
}

function mark({ relay, epoch, known, hasLeft }: Shard, ageMs: number): ShardMark {
  return { relay, epoch, complete: known.complete, ageMs, hasLeft };
}
