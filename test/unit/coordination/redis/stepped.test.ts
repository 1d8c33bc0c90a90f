import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { RedisRegistry } from '../../../../src/coordination/redis/registry.ts';
import { Stepped } from '../../../../src/coordination/redis/stepped.ts';
import { RedisStore } from '../../../../src/coordination/redis/store.ts';
import type { StoreEvents } from '../../../../src/coordination/redis/store.ts';
import { ManualClock } from '../../../../src/lib/clock.ts';
import { silentLogger } from '../../../../src/lib/logger.ts';
import { redisConfig } from '../../../support/coordination/redis-rig.ts';
import { Heard } from '../../../support/coordination/rig.ts';
import { proofsOf } from '../../../support/coordination/signed.ts';

const HOUR_MS = 3_600_000;

describe('a step of the clock of Redis', () => {
  let clock: ManualClock;
  let stepped: Stepped;
  let storeMs: number;

  /** An answer, of which either way takes `wayMs`. */
  const heard = (wayMs: number): boolean => {
    const askedAt = stepped.now();
    clock.advance(wayMs);
    const said = storeMs + stepped.now();
    clock.advance(wayMs);
    return stepped.between(askedAt, said);
  };

  beforeEach(() => {
    clock = new ManualClock();
    stepped = new Stepped(clock);
    storeMs = 1_800_000_000_000;
  });

  it('is noticed once, forward and back', () => {
    assert.equal(heard(1), false, 'there is nothing to compare with');
    for (const step of [HOUR_MS, -HOUR_MS, 2_100, -2_100]) {
      storeMs += step;
      clock.advance(1_000);
      assert.deepEqual([heard(1), heard(1)], [true, false], `${step}`);
    }
  });

  it('is none where answers take long, beats do not come, or the clock is set right by little', () => {
    for (const [wayMs, pauseMs, step] of [[1, 0, 0], [500, 1_000, 0], [1, HOUR_MS, 0], [500, 0, 1_900], [1, 1_000, -1_900]] as const) {
      clock.advance(pauseMs);
      storeMs += step;
      assert.equal(heard(wayMs), false, `${wayMs} ${pauseMs} ${step}`);
    }
  });

  it('is no step where it is another store\'s, after a stop', () => {
    heard(1);
    stepped.forget();
    storeMs += HOUR_MS;
    assert.equal(heard(1), false);
  });
});

/** Keeps who hears of it: here the test says what happens. */
class ToldStore extends RedisStore {
  told: StoreEvents | undefined;

  override set events(events: StoreEvents) {
    this.told = events;
  }
}

describe('a relay that is connected to Redis', () => {
  const proofs = proofsOf({ id: 'self', epoch: 1 });

  function rig(): { clock: ManualClock; heard: Heard; connected: StoreEvents['onConnected'] } {
    const clock = new ManualClock();
    const heard = new Heard();
    const store = new ToldStore({ config: { redis: redisConfig({}), allowPlaintext: false }, cluster: 'test', self: 'self', epoch: 1, proofs, clock, log: silentLogger });
    const registry = new RedisRegistry({ store, self: 'self', links: { members: () => [] }, listener: heard, proofs, clock, log: silentLogger });
    // There is no connection yet: the record is what the first beat on one tells.
    registry.beat(Buffer.from('record')).catch(() => {});
    return { clock, heard, connected: (run, finding) => store.told!.onConnected(run, finding) };
  }

  const answer = (storeMs: number): unknown[] => [1, 'born', 1, [], [], [], [], [], '0', storeMs];

  it('tells all again where the slot has moved, even if the first beat there fails', async () => {
    const { heard, connected } = rig();
    await assert.rejects(connected(() => Promise.reject(new Error('ASK 1 there')), 'moved'), /ASK/);
    assert.equal(heard.staleTimes, 1);
  });

  it('tells all again with the beat that shows a step of its clock', async () => {
    const { clock, heard, connected } = rig();
    const times: number[] = [];
    for (const storeMs of [1_000_000, 1_001_000, 1_002_000 + HOUR_MS, 1_003_000 + HOUR_MS]) {
      await connected(() => Promise.resolve(answer(storeMs)), 'same');
      clock.advance(1_000);
      times.push(heard.staleTimes);
    }
    assert.deepEqual(times, [0, 0, 1, 1]);
  });
});
