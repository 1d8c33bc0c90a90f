import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { LEASE_MS } from '../../../../src/coordination/backend.ts';
import type { Delta } from '../../../../src/coordination/gossip/delta.ts';
import { FORGET_AFTER_MS, Others } from '../../../../src/coordination/gossip/others.ts';
import { Shard } from '../../../../src/coordination/gossip/shard.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';
import { Heard } from '../../../support/coordination/rig.ts';
import { proofsOf, signedRecord } from '../../../support/coordination/signed.ts';
import { settled } from '../../../support/waiting.ts';

const TICK_MS = 250;

describe('the other relays', () => {
  let clock: ManualClock;
  let heard: Heard;
  let others: Others;
  let isAsleep: boolean;

  beforeEach(() => {
    [clock, heard, isAsleep] = [new ManualClock(), new Heard(), false];
    others = new Others({ self: { relay: 'self', epoch: 5 }, listener: heard, proofs: proofsOf({ id: 'self', epoch: 5 }), clock, log: silentLogger });
    const tick = (): void => {
      if (!isAsleep) others.tick();
      clock.setTimer(tick, TICK_MS);
    };
    tick();
  });

  const beat = (sequence: number, { epoch = 1, ageMs = 0, relay = 'r' } = {}): void =>
    void others.absorb({ relay, epoch, from: sequence - 1, to: sequence, beat: { sequence, ageMs }, record: { sequence, bytes: Uint8Array.of(sequence) }, held: [], ended: [], usage: [] });
  const hold = (peer: string, sequence: number, epoch = 1): Delta => ({ relay: 'r', epoch, from: sequence - 1, to: sequence, held: [{ peer, sequence, ttlMs: 3_600_000, ageMs: 0 }], ended: [], usage: [] });

  it('are alive for a lease after each beat, and then gone', () => {
    beat(1);
    assert.deepEqual(heard.relays.get('r'), Uint8Array.of(1));
    clock.advance(LEASE_MS - 500);
    beat(2);
    assert.deepEqual(heard.relays.get('r'), Uint8Array.of(2));
    clock.advance(LEASE_MS - 500);
    assert.deepEqual(others.live(), ['r']);
    clock.advance(500 + TICK_MS);
    assert.deepEqual([others.live(), heard.goneBecause.get('r')], [[], 'lapsed']);
    beat(3);
    assert.deepEqual([others.live(), heard.goneBecause.size], [['r'], 0]);
  });

  it('are not alive before their record is known, which is told again only when it has changed', () => {
    const told: string[] = [];
    heard.relay = (peer, record) => told.push(`${peer} ${record.toString()}`);
    const say = (sequence: number, bytes?: Uint8Array): void =>
      void others.absorb({ relay: 'r', epoch: 1, from: sequence - 1, to: sequence, beat: { sequence, ageMs: 0 }, record: bytes === undefined ? undefined : { sequence, bytes }, held: [], ended: [], usage: [] });
    say(1);
    assert.deepEqual(others.live(), []);
    say(2, Uint8Array.of(2));
    say(3);
    say(4, Uint8Array.of(4));
    assert.deepEqual([others.live(), told], [['r'], ['r 2', 'r 4']]);
  });

  it('are not alive for a beat that was heard before, nor for one that is old', () => {
    beat(1);
    for (let i = 0; i < 10; i++) {
      clock.advance(LEASE_MS / 4);
      beat(1);
    }
    assert.deepEqual(others.live(), []);
    beat(2, { ageMs: LEASE_MS });
    assert.deepEqual(others.live(), []);
    beat(3, { ageMs: LEASE_MS - 1_000 });
    assert.deepEqual(others.live(), ['r']);
    clock.advance(1_000 + TICK_MS);
    assert.deepEqual(others.live(), [], 'the lease began when it was said, not when it was heard');
  });

  it('have one beat\'s time to be heard after this relay stood still', () => {
    beat(1);
    isAsleep = true;
    clock.advance(60_000);
    isAsleep = false;
    clock.advance(1_000);
    assert.deepEqual(others.live(), ['r'], 'this relay slept, not they');
    beat(2);
    clock.advance(2_000);
    assert.deepEqual(others.live(), ['r']);
    clock.advance(LEASE_MS);
    assert.deepEqual(others.live(), [], 'who says nothing after it is gone');
  });

  it('leave at once, with all that they held', () => {
    beat(1);
    others.absorb(hold('p', 2));
    others.absorb({ relay: 'r', epoch: 1, from: 2, to: 3, leftAt: 3, held: [], ended: [], usage: [] });
    assert.deepEqual([others.live(), heard.goneBecause.get('r'), others.knownCount()], [[], 'left', 0]);
    assert.equal(others.shard('r')?.held.size, 0);
    others.absorb(hold('late', 2));
    assert.equal(others.shard('r')?.held.size, 0, 'what it said before comes too late');
    beat(4);
    assert.deepEqual([others.live(), others.knownCount()], [['r'], 1], 'it has started again');
  });

  it('begin anew with a newer epoch, and an older one is not heard any more', () => {
    beat(1);
    others.absorb(hold('old', 2));
    others.absorb(hold('new', 1, 2));
    assert.equal(others.shard('r')?.held.get('old'), undefined);
    others.absorb(hold('older', 3, 1));
    assert.deepEqual([...(others.shard('r')?.held.since(0) ?? [])], [{ peer: 'new', sequence: 1 }]);
    assert.deepEqual(others.live(), ['r'], 'its lease goes on meanwhile');
  });

  it('are remembered for ten minutes after they were last heard of', () => {
    beat(1);
    others.absorb(hold('p', 2));
    clock.advance(FORGET_AFTER_MS - 1_000);
    assert.equal(others.shard('r')?.held.size, 1);
    assert.deepEqual([others.knownCount(), Math.round((others.all()[0]?.ageMs ?? 0) / 1_000)], [1, FORGET_AFTER_MS / 1_000 - 1]);
    clock.advance(1_000 + TICK_MS);
    assert.deepEqual([others.shard('r'), others.knownCount()], [undefined, 0]);
  });

  it('take in a shard that was fetched whole', () => {
    const fresh = new Shard('r', 1);
    fresh.apply({ relay: 'r', epoch: 1, from: 0, to: 9, beat: { sequence: 9, ageMs: 100 }, record: { sequence: 9, bytes: Uint8Array.of(9) }, held: [], ended: [], usage: [] }, clock.now());
    others.join(fresh);
    assert.deepEqual([others.live(), heard.relays.get('r')], [['r'], Uint8Array.of(9)]);
  });

  it('tell this relay that it is fenced when a newer run of it is alive, once; an older or dead run says nothing', async () => {
    const met = (epoch: number, ageMs: number): void => {
      const from = { relay: 'self', epoch, from: 0, to: 1, held: [], ended: [], usage: [] };
      others.absorb({ ...from, beat: { sequence: 1, ageMs }, record: { sequence: 1, bytes: signedRecord({ id: 'self', epoch }, 'x') } });
    };
    met(4, 0);
    met(5, 0);
    met(6, LEASE_MS);
    await settled(1);
    assert.deepEqual([heard.fencedTimes, others.isFenced, others.doubt], [0, false, undefined]);
    met(6, 0);
    await settled(1);
    met(7, 0);
    await settled(1);
    assert.deepEqual([heard.fencedTimes, others.isFenced, others.live()], [1, true, []]);
  });

  it('that say it without a record of this relay\'s own key are doubted for a while, and not believed', async () => {
    for (const record of [new Uint8Array(), signedRecord({ id: 'other', epoch: 9 }, 'x'), signedRecord({ id: 'self', epoch: 5 }, 'x')]) {
      await others.metSelf({ epoch: Number.MAX_SAFE_INTEGER, ageMs: 0, record });
    }
    assert.deepEqual([heard.fencedTimes, others.isFenced], [0, false]);
    assert.match(String(others.doubt), /newer run of this one/);
    clock.advance(LEASE_MS);
    assert.equal(others.doubt, undefined);
  });

  it('are bounded', () => {
    for (let i = 0; i < 300; i++) beat(1, { relay: `r${i}` });
    assert.equal(others.live().length, 256);
  });
});
