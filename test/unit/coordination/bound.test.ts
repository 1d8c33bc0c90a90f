import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { usableLimit } from '../../../src/coordination/bound.ts';

describe('the part of a limit that a relay may work with', () => {
  it('is all of it for who sees more than half, else the part that is seen', () => {
    assert.deepEqual([usableLimit(100, 3, 3), usableLimit(100, 2, 3), usableLimit(100, 1, 3), usableLimit(100, 1, 2), usableLimit(100, 1, 1)], [100, 100, 33, 50, 100]);
    assert.equal(usableLimit(Infinity, 1, 3), Infinity);
  });

  it('lets at most one part of a split cluster have all, and the others together less than that', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000 }), fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }), (limit, parts) => {
        const known = parts.reduce((sum, part) => sum + part, 0);
        const usable = parts.map((part) => ({ limit: usableLimit(limit, part, known), isMajority: 2 * part > known }));
        assert.ok(usable.filter(({ isMajority }) => isMajority).length <= 1);
        assert.ok(usable.filter(({ isMajority }) => !isMajority).reduce((sum, part) => sum + part.limit, 0) <= limit);
      }),
    );
  });
});
