import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Totals } from '../../../../src/coordination/redis/totals.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';

describe('what the store has said of the places of all relays', () => {
  let clock: ManualClock;
  let totals: Totals;

  beforeEach(() => {
    clock = new ManualClock();
    totals = new Totals(clock);
  });

  it('is known for five seconds, which this relay\'s own doings do not prolong', () => {
    totals.heard('key', 4);
    clock.advance(5_000);
    totals.moved('key', -1);
    assert.equal(totals.of('key'), 3);
    clock.advance(1);
    assert.equal(totals.of('key'), undefined);
  });

  it('is kept of the keys that were heard of last', () => {
    for (let i = 0; i < 4_096; i++) totals.heard(`${i}`, i);
    totals.heard('0', 7);
    totals.heard('new', 1);
    assert.deepEqual([totals.of('0'), totals.of('1'), totals.of('2'), totals.of('new')], [7, undefined, 2, 1]);
  });
});
