import type { Clock } from '../../lib/clock.ts';
import { changesSince, deltaOf, fitting } from './changes.ts';
import type { Knowledge } from './knowledge.ts';
import { usageKey } from './shard.ts';
import type { Shard } from './shard.ts';
import { encodeCells, encodeDigest, encodeLists, encodePage, encodeRuns } from './sync-messages.ts';
import type { CellsQuestion, Question, ShardPage, ShardQuestion } from './sync-messages.ts';
import type { UsageBook } from './usage-book.ts';

/** A link's frame holds a megabyte; a page is written and read within some milliseconds. */
const PAGE_BYTES = 256 * 1024;

/** A key is at most 256 bytes; with a window and a number a page stays below a link's frame. */
const CELLS_A_PAGE = 2_000;

/** The newest: more have not been in a month, or the relay does not come up at all. */
const MAX_RUNS = 4_096;

/** What another relay asks is answered from memory, at once. */
export function answerTo(question: Question, knowledge: Knowledge, clock: Clock): Uint8Array {
  switch (question.kind) {
    case 'digest':
      return encodeDigest(knowledge.digest());
    case 'shard':
      return encodePage(page(question.shard, knowledge, clock.now()));
    case 'list':
      return encodeLists([knowledge.lists.get(question.authority)].filter((list) => list !== undefined));
    case 'runs':
      return encodeRuns(newest(knowledge).map((run) => ({ ...run, hash: knowledge.book.hashOf(run) })));
    case 'cells':
      return encodeCells(cells(question.cells, knowledge.book));
  }
}

function page(question: ShardQuestion, knowledge: Knowledge, now: number): ShardPage | undefined {
  const shard = knowledge.shardOf(question);
  if (shard === undefined) return undefined;
  // Who is behind what is remembered of ends is told all that is held, from the first page on.
  const isWhole = question.isWhole || question.from < shard.ended.horizon;
  const from = question.isWhole || !isWhole ? question.from : 0;
  return { ...part(shard, from, knowledge.book, now), horizon: shard.ended.horizon, isWhole };
}

function part(shard: Shard, from: number, book: UsageBook, now: number): Pick<ShardPage, 'delta' | 'hasMore'> {
  const { complete } = shard.known;
  const { changes, isAll } = changesSince(shard, from, PAGE_BYTES);
  const sure = changes.filter(({ sequence }) => sequence <= complete);
  const some = sure.slice(0, fitting(sure, PAGE_BYTES));
  const hasMore = some.length < sure.length || (!isAll && sure.length === changes.length);
  const to = hasMore ? (some.at(-1)?.sequence ?? complete) : complete;
  const usageBytes = (name: string): number => book.bytesOf(shard, name);
  return { delta: deltaOf(shard, from, Math.max(from, to), some, usageBytes, now), hasMore };
}

function cells({ skip, ...run }: CellsQuestion, book: UsageBook): { cells: ReturnType<UsageBook['cellsOf']>; hasMore: boolean } {
  const sorted = book.cellsOf(run).sort((a, b) => (usageKey(a.window, a.key) < usageKey(b.window, b.key) ? -1 : 1));
  return { cells: sorted.slice(skip, skip + CELLS_A_PAGE), hasMore: sorted.length > skip + CELLS_A_PAGE };
}

function newest(knowledge: Knowledge): ReturnType<Knowledge['pastRuns']> {
  return knowledge.pastRuns().sort((a, b) => b.epoch - a.epoch).slice(0, MAX_RUNS);
}
