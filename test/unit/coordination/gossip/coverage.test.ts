import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Coverage } from '../../../../src/coordination/gossip/coverage.ts';

const MAX = 60;

const range = fc.tuple(fc.nat(MAX), fc.nat(MAX)).map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);

describe('which changes are known', () => {
  it('is the set of all that was added, in whatever order and however often', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 30, size: 'max' }), (ranges) => {
        const coverage = new Coverage();
        ranges.forEach(([from, to]) => coverage.add(from, to));
        const isKnown = (sequence: number): boolean => ranges.some(([from, to]) => sequence > from && sequence <= to);
        const sequences = Array.from({ length: MAX }, (_, i) => i + 1);
        sequences.forEach((sequence) => assert.equal(coverage.has(sequence), isKnown(sequence), `${sequence}`));
        assert.equal(coverage.complete, sequences.find((sequence) => !isKnown(sequence)) === undefined ? MAX : Number(sequences.find((sequence) => !isKnown(sequence))) - 1);
        assert.equal(coverage.highest, Math.max(0, ...sequences.filter(isKnown)));
      }),
    );
  });

  it('joins another', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 30, size: 'max' }), fc.array(range, { maxLength: 30, size: 'max' }), (one, other) => {
        const [a, b, both] = [new Coverage(), new Coverage(), new Coverage()];
        one.forEach(([from, to]) => a.add(from, to));
        other.forEach(([from, to]) => b.add(from, to));
        [...other, ...one].forEach(([from, to]) => both.add(from, to));
        a.join(b);
        assert.deepEqual(a, both);
      }),
    );
  });

  it('forgets the farthest when there are more gaps than it keeps, and never claims what it does not know', () => {
    const coverage = new Coverage();
    for (let i = 1; i <= 1_000; i++) coverage.add(10 * i, 10 * i + 1);
    assert.equal(coverage.complete, 0);
    assert.ok(coverage.has(11));
    assert.ok(!coverage.has(10_001), 'forgotten');
    assert.ok(coverage.highest < 1_000);
    coverage.add(0, 10_005);
    assert.equal(coverage.complete, 10_005);
  });
});
