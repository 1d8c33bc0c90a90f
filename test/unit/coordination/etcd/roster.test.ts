import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { GRACE_MS, Roster } from '../../../../src/coordination/etcd/roster.ts';
import type { RecordValue } from '../../../../src/coordination/etcd/values.ts';
import { MAX_RECORD_BYTES } from '../../../../src/coordination/record.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';

function record(text: string): RecordValue {
  return { epoch: 1, hasLeft: false, record: Buffer.from(text) };
}

const LEFT: RecordValue = { epoch: 1, hasLeft: true, record: Buffer.of() };

describe('the other relays of a cluster in etcd', () => {
  let heard: string[] = [];
  let clock: ManualClock;
  let isStoreAway = false;
  let roster: Roster;

  beforeEach(() => {
    heard = [];
    clock = new ManualClock();
    isStoreAway = false;
    const listener = {
      relay: (peer: string, bytes: Uint8Array) => void heard.push(`${peer} ${Buffer.from(bytes).toString()}`),
      gone: (peer: string, why: string) => void heard.push(`${peer} ${why}`),
    };
    roster = new Roster({ listener, clock, isStoreAway: () => isStoreAway });
  });

  it('are told when they come and when their record changes, once each', () => {
    roster.has('a', record('1'));
    roster.has('a', record('1'));
    roster.has('a', record('2'));
    assert.deepEqual(heard, ['a 1', 'a 2']);
  });

  it('are told of what is too long for a record, which is counted, and do not keep it', () => {
    roster.has('a', record('x'.repeat(MAX_RECORD_BYTES + 1)));
    assert.equal(heard.length, 1);
    roster.hasOnly(new Map());
    assert.equal(clock.pending, 0, 'nobody waits for one that was never known');
    roster.has('b', record('x'.repeat(MAX_RECORD_BYTES)));
    roster.hasOnly(new Map());
    assert.equal(clock.pending, 1);
  });

  it('have left as soon as they say so, and are not gone again when their key goes', () => {
    roster.has('a', record('1'));
    roster.has('a', LEFT);
    roster.lacks('a');
    clock.advance(GRACE_MS);
    assert.deepEqual(heard, ['a 1', 'a left']);
  });

  it('have lapsed a grace after their key went', () => {
    roster.has('a', record('1'));
    roster.lacks('a');
    clock.advance(GRACE_MS - 1);
    assert.deepEqual(heard, ['a 1']);
    clock.advance(1);
    assert.deepEqual(heard, ['a 1', 'a lapsed']);
    assert.equal(clock.pending, 0);
  });

  it('were not away when they come back within the grace', () => {
    roster.has('a', record('1'));
    roster.lacks('a');
    roster.lacks('a');
    roster.has('a', record('1'));
    clock.advance(10 * GRACE_MS);
    assert.deepEqual(heard, ['a 1']);
  });

  it('are not gone while the store is away, and have a grace when it is back', () => {
    roster.has('a', record('1'));
    roster.lacks('a');
    isStoreAway = true;
    clock.advance(100 * GRACE_MS);
    assert.deepEqual(heard, ['a 1']);
    isStoreAway = false;
    clock.advance(GRACE_MS);
    assert.deepEqual(heard, ['a 1', 'a lapsed']);
  });

  it('are compared with all that are there after a gap', () => {
    roster.has('a', record('1'));
    roster.has('b', record('1'));
    roster.hasOnly(new Map([['b', record('2')], ['c', record('1')], ['d', LEFT]]));
    clock.advance(GRACE_MS);
    assert.deepEqual(heard, ['a 1', 'b 1', 'b 2', 'c 1', 'a lapsed']);
  });

  it('are forgotten, with their timers, when all stops', () => {
    roster.has('a', record('1'));
    roster.lacks('a');
    roster.clear();
    assert.equal(clock.pending, 0);
    roster.has('a', record('1'));
    assert.deepEqual(heard, ['a 1', 'a 1']);
  });
});
