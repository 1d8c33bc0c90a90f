import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Author } from '../../../../src/coordination/gossip/author.ts';

const HOUR_MS = 3_600_000;

describe('what a relay says of itself', () => {
  it('is told once, in pieces of the size that is asked for, each where the last one ended', () => {
    const author = new Author('self', 1, () => 0);
    for (let i = 0; i < 10; i++) author.hold(`peer-${i}`, HOUR_MS, 0);
    const deltas = [];
    while (author.hasNews) deltas.push(author.next(100, 0));
    assert.deepEqual(deltas.map(({ from, to, held }) => [from, to, held.length]), [[0, 3, 3], [3, 6, 3], [6, 9, 3], [9, 10, 1]]);
    assert.deepEqual(author.next(100, 0).held, []);
  });

  it('is the last of what it did with each peer and key', () => {
    const author = new Author('self', 1, () => 77);
    author.hold('p', HOUR_MS, 0);
    author.hold('p', HOUR_MS, 0);
    author.end('p', 0);
    author.end('nobody', 0);
    author.counted('k', '2026-11', 0);
    author.counted('k', '2026-11', 0);
    const { held, ended, usage } = author.next(10_000, 0);
    assert.deepEqual([held, ended, usage], [[], [{ peer: 'p', sequence: 3 }], [{ key: 'k', window: '2026-11', sequence: 5, bytes: 77 }]]);
  });

  it('has its record with a beat only when it has changed', () => {
    const author = new Author('self', 1, () => 0);
    const next = (record: string): unknown => {
      author.beat(Buffer.from(record), 0);
      const delta = author.next(100, 0);
      return [delta.beat?.sequence, delta.record?.bytes.toString()];
    };
    assert.deepEqual([next('one'), next('one'), next('two')], [[1, 'one'], [2, undefined], [3, 'two']]);
  });

  it('leaves a gap when more has changed than is gossiped: it is asked for', () => {
    const author = new Author('self', 1, () => 0);
    for (let i = 0; i < 20_001; i++) author.hold(`peer-${i}`, HOUR_MS, 0);
    const { from, to, held } = author.next(1_000_000, 0);
    assert.deepEqual([from, to, held.length, author.hasNews], [20_000, 20_001, 1, false]);
    assert.equal(author.shard.held.size, 20_001);
  });
});
