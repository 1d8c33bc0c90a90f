import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { leftToOne, usableLimit } from '../../../src/coordination/bound.ts';

describe('the part of a limit that a relay may work with', () => {
  it('is all of it for who sees more than half, else the part that is seen', () => {
    assert.deepEqual([usableLimit(100, 3, 3), usableLimit(100, 2, 3), usableLimit(100, 1, 3), usableLimit(100, 1, 2), usableLimit(100, 1, 1)], [100, 100, 33, 50, 100]);
    assert.equal(usableLimit(Infinity, 1, 3), Infinity);
  });

  it('is one at least, of a limit that is smaller than the number of relays; nothing of one that is nothing', () => {
    assert.deepEqual([usableLimit(4, 1, 10), usableLimit(4, 2, 10), usableLimit(4, 5, 10), usableLimit(0, 1, 10)], [1, 1, 2, 0]);
    assert.equal(leftToOne(4, 10), 0, 'those that may use the whole limit are not kept from it by ones that may be gone');
  });

  it('lets at most one part of a split cluster have all, and the others together no more than that and the ones that each may have', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000 }), fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 }), (limit, parts) => {
        const known = parts.reduce((sum, part) => sum + part, 0);
        const usable = parts.map((part) => ({ limit: usableLimit(limit, part, known), isMajority: 2 * part > known }));
        assert.ok(usable.filter(({ isMajority }) => isMajority).length <= 1);
        const ones = parts.filter((part) => limit > 0 && limit * part < known).length;
        assert.ok(usable.filter(({ isMajority }) => !isMajority).reduce((sum, part) => sum + part.limit, 0) <= limit + ones);
      }),
    );
  });
});
