import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Owners } from '../../../../src/coordination/shares/owners.ts';
import { makePeerIds } from '../../../support/peer-ids.ts';

const ids = (await makePeerIds(10)).map(String);
const keys = Array.from({ length: 10_000 }, (_, i) => `public/reservations.perPrefix/192.0.${i >> 8}.${i & 255}/32`);

describe('owners of keys', () => {
  it('are the same for the same relays in any order', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(ids, { minLength: 1 }), fc.string(), (relays, key) => {
        const sorted = new Owners([...relays].sort());
        const other = new Owners([...relays, ...relays.slice(0, 1)]);
        assert.equal(other.of(key), sorted.of(key));
        assert.equal(other.digest, sorted.digest);
      }),
    );
  });

  it('have about as many keys each', () => {
    const owners = new Owners(ids);
    const counts = new Map<string, number>();
    keys.forEach((key) => counts.set(String(owners.of(key)), (counts.get(String(owners.of(key))) ?? 0) + 1));
    ids.forEach((id) => assert.ok(Math.abs((counts.get(id) ?? 0) - 1_000) < 200, `${counts.get(id)}`));
  });

  it('change only for the keys of a relay that goes', () => {
    const before = new Owners(ids);
    const gone = ids[3] as string;
    const after = new Owners(ids.filter((id) => id !== gone));
    assert.notEqual(before.digest, after.digest);
    for (const key of keys) {
      if (before.of(key) !== gone) assert.equal(after.of(key), before.of(key));
    }
  });

  it('are none where nobody is alive', () => {
    assert.equal(new Owners([]).of('key'), undefined);
  });
});
