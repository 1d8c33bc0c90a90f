import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UsageBook } from '../../../../src/coordination/gossip/usage-book.ts';
import { UsageFile } from '../../../../src/coordination/gossip/usage-file.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';

const NOW = Date.UTC(2026, 10, 21);
const RUN = { relay: 'a', epoch: 5 };
const CELL = { key: 'quota/peer/1', window: '2026-11', bytes: 123 };

describe('the usage file', () => {
  let dir: string;
  before(async () => (dir = await mkdtemp(join(tmpdir(), 'relayd-usage-'))));
  after(async () => await rm(dir, { recursive: true, force: true }));

  const open = (book: UsageBook, clock = new ManualClock(NOW), dataDir = dir): UsageFile => new UsageFile({ dataDir, book, clock, log: silentLogger });

  it('keeps what was used for the next run, readable by its owner alone', async () => {
    const [book, next] = [new UsageBook(), new UsageBook()];
    book.raise(RUN, CELL, NOW);
    await open(book).write();
    assert.equal((await stat(join(dir, 'cluster-usage.json'))).mode & 0o777, 0o600);
    await open(next).load();
    assert.equal(next.total(CELL.key, CELL.window), 123);
    assert.deepEqual(next.runs(), [RUN]);
  });

  it('leaves out windows that were over long before it was read', async () => {
    const [book, next] = [new UsageBook(), new UsageBook()];
    book.raise(RUN, CELL, NOW);
    await open(book).write();
    await open(next, new ManualClock(Date.UTC(2026, 11, 3))).load();
    assert.equal(next.size, 0);
  });

  it('is written when something has changed, at most every ten seconds', async () => {
    const [book, clock] = [new UsageBook(), new ManualClock(NOW)];
    const own = await mkdtemp(join(dir, 'own-'));
    const file = open(book, clock, own);
    const bytes = async (): Promise<number> => (JSON.parse(await readFile(join(own, 'cluster-usage.json'), 'utf8')) as { runs: { used: [string, string, number][] }[] }).runs[0]?.used[0]?.[2] ?? 0;
    book.raise(RUN, CELL, NOW);
    file.writeSometimes();
    await file.write();
    assert.equal(await bytes(), 123);
    book.raise(RUN, { ...CELL, bytes: 200 }, NOW);
    file.writeSometimes();
    clock.advance(9_999);
    file.writeSometimes();
    assert.equal(await bytes(), 123, 'not yet');
    clock.advance(1);
    file.writeSometimes();
    await file.write();
    assert.equal(await bytes(), 200);
  });

  it('that makes no sense is left out, and the next one takes its place', async () => {
    for (const text of ['', '{', '[]', '{"version":2,"runs":[]}', '{"version":1,"runs":[{"relay":1}]}', '{"version":1,"runs":[{"relay":"a","epoch":1,"used":[["2026-11","k",-5]]}]}']) {
      await writeFile(join(dir, 'cluster-usage.json'), text);
      const book = new UsageBook();
      const file = open(book);
      await file.load();
      assert.equal(book.size, 0, text);
      book.raise(RUN, CELL, NOW);
      await file.write();
      const next = new UsageBook();
      await open(next).load();
      assert.equal(next.size, 1);
    }
  });

  it('that cannot be written stops nothing', async () => {
    const book = new UsageBook();
    book.raise(RUN, CELL, NOW);
    await open(book, new ManualClock(NOW), join(dir, 'missing')).write();
  });
});
