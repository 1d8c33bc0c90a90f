import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Counts } from '../../../src/lib/counts.ts';

describe('Counts', () => {
  it('count each key, and keep none at zero', () => {
    const counts = new Counts();
    counts.add('a', 'b');
    counts.add('a');
    assert.deepEqual([counts.of('a'), counts.of('b'), counts.of('c'), counts.size], [2, 1, 0, 2]);
    assert.equal(counts.highest(['b', 'a', 'c']), 2);
    assert.equal(counts.highest([]), 0);
    counts.remove('a', 'b');
    counts.remove('a');
    assert.equal(counts.size, 0);
  });

  it('do not go below zero', () => {
    const counts = new Counts();
    counts.remove('a');
    counts.add('a');
    assert.equal(counts.of('a'), 1);
  });

  it('end where a plain tally ends, whatever comes', () => {
    const operation = fc.record({ add: fc.boolean(), key: fc.constantFrom('a', 'b', 'c') });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 100 }), (operations) => {
        const counts = new Counts();
        const model: Record<string, number> = { a: 0, b: 0, c: 0 };
        for (const { add, key } of operations) {
          if (add) counts.add(key);
          else counts.remove(key);
          model[key] = Math.max(0, (model[key] ?? 0) + (add ? 1 : -1));
        }
        assert.deepEqual(Object.keys(model).map((key) => counts.of(key)), Object.values(model));
        assert.equal(counts.size, Object.values(model).filter((value) => value > 0).length);
      }),
    );
  });
});
