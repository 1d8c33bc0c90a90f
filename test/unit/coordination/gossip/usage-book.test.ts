import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Run, UsageCell } from '../../../../src/coordination/gossip/messages.ts';
import { UsageBook, hashOfRuns } from '../../../../src/coordination/gossip/usage-book.ts';
import { forgetWindowAt } from '../../../../src/coordination/gossip/usage-window.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const DAY_MS = 24 * 3_600_000;

const count = fc.record({
  run: fc.record({ relay: fc.constantFrom('a', 'b'), epoch: fc.integer({ min: 1, max: 2 }) }),
  cell: fc.record({ key: fc.constantFrom('quota/peer/1', 'quota/realm/home office'), window: fc.constantFrom('2026-11', '2026-11-21'), bytes: fc.nat(1_000) }),
});

describe('the usage book', () => {
  it('adds up the largest count of each run, whatever comes first and however often', () => {
    fc.assert(
      fc.property(fc.array(count), (counts) => {
        const [book, backwards] = [new UsageBook(), new UsageBook()];
        [...counts, ...counts].forEach(({ run, cell }) => book.raise(run, cell, NOW));
        [...counts].reverse().forEach(({ run, cell }) => backwards.raise(run, cell, NOW));
        for (const { cell } of counts) {
          const expected = total(counts, cell);
          assert.equal(book.total(cell.key, cell.window), expected);
          assert.equal(backwards.total(cell.key, cell.window), expected);
        }
        assert.deepEqual(hashOfRuns(book, book.runs()), hashOfRuns(backwards, backwards.runs()), 'the same has the same hash');
      }),
    );
  });

  it('says whether a count was news, and has another hash then', () => {
    const book = new UsageBook();
    const run: Run = { relay: 'a', epoch: 1 };
    const cell: UsageCell = { key: 'k', window: '2026-11-21', bytes: 10 };
    assert.equal(book.raise(run, cell, NOW), true);
    const { revision } = book;
    const hash = Buffer.from(book.hashOf(run)).toString('hex');
    assert.equal(book.raise(run, { ...cell, bytes: 9 }, NOW), false);
    assert.equal(book.revision, revision);
    assert.equal(book.raise(run, { ...cell, bytes: 11 }, NOW), true);
    assert.notEqual(Buffer.from(book.hashOf(run)).toString('hex'), hash);
    assert.deepEqual(book.cellsOf(run), [{ ...cell, bytes: 11 }]);
  });

  it('forgets a window a day after its end, and takes none that is over for so long', () => {
    const book = new UsageBook();
    const run = { relay: 'a', epoch: 1 };
    for (const window of ['2026-11-21', '2026-11', 'nonsense', '2026-11-19', '2026-13']) book.raise(run, { key: 'k', window, bytes: 5 }, NOW);
    assert.deepEqual(book.cellsOf(run).map(({ window }) => window), ['2026-11-21', '2026-11']);
    book.forgetOld(Date.UTC(2026, 10, 22) + DAY_MS - 1);
    assert.equal(book.size, 2);
    book.forgetOld(Date.UTC(2026, 10, 22) + DAY_MS);
    assert.deepEqual(book.cellsOf(run).map(({ window }) => window), ['2026-11']);
    assert.equal(book.total('k', '2026-11-21'), 0);
    book.forgetOld(Date.UTC(2026, 11, 2));
    assert.deepEqual([book.size, book.runs()], [0, []]);
  });

  it('is bounded: what it has no room for is not taken, what it has is still raised', () => {
    const book = new UsageBook(2);
    const cell = (key: string, bytes: number): UsageCell => ({ key, window: '2026-11', bytes });
    const run = { relay: 'a', epoch: 1 };
    assert.deepEqual([book.raise(run, cell('1', 5), NOW), book.raise(run, cell('2', 5), NOW), book.raise(run, cell('3', 5), NOW), book.raise(run, cell('2', 6), NOW)], [true, true, false, true]);
    assert.equal(book.total('3', '2026-11'), 0);
  });
});

describe('the end of a window', () => {
  it('is a day after the last moment of the day or month, in UTC', () => {
    assert.equal(forgetWindowAt('2026-11-21'), Date.UTC(2026, 10, 23));
    assert.equal(forgetWindowAt('2026-12-31'), Date.UTC(2027, 0, 2));
    assert.equal(forgetWindowAt('2026-12'), Date.UTC(2027, 0, 2));
    for (const text of ['', '2026', '2026-00', '2026-1', '2026-11-32', '2026-11-21T', 'x2026-11']) assert.equal(forgetWindowAt(text), undefined, text);
  });
});

function total(counts: readonly { run: Run; cell: UsageCell }[], { key, window }: UsageCell): number {
  const largest = new Map<string, number>();
  for (const { run, cell } of counts) {
    const name = `${run.relay} ${run.epoch}`;
    if (cell.key === key && cell.window === window) largest.set(name, Math.max(largest.get(name) ?? 0, cell.bytes));
  }
  return [...largest.values()].reduce((sum, bytes) => sum + bytes, 0);
}
