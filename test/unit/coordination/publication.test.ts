import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { ReservationChange } from '../../../src/coordination/backend.ts';
import { Publication } from '../../../src/coordination/publication.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled } from '../../support/waiting.ts';

const HOUR_MS = 3_600_000;
const GATHER_MS = 15;

describe('telling the cluster of reservations', () => {
  let clock: ManualClock;
  let told: ReservationChange[][];
  let all: ReservationChange[][];
  let isAway: boolean;
  let failures: number;
  let delays: number[];
  let publication: Publication;

  beforeEach(async () => {
    clock = new ManualClock();
    [told, all, delays] = [[], [], []];
    isAway = false;
    failures = 0;
    const take = (list: ReservationChange[][]) => async (changes: readonly ReservationChange[]): Promise<void> => {
      if (isAway) throw new RelaydError('STORE_UNAVAILABLE', 'away');
      list.push([...changes]);
    };
    publication = new Publication({ registry: { publish: take(told), publishAll: take(all) }, clock, log: silentLogger, onTold: (some) => delays.push(...some), onFailed: () => failures++ });
    await publication.tellAll();
    all.length = 0;
  });

  const gathered = async (): Promise<void> => {
    clock.advance(GATHER_MS);
    await settled();
  };

  it('goes at once after a silence, for whoever has just reserved may be dialled', async () => {
    clock.advance(GATHER_MS);
    publication.held('a', HOUR_MS);
    clock.advance(0);
    await settled();
    assert.deepEqual([told, delays], [[[{ peer: 'a', ttlMs: HOUR_MS }]], [0]]);
  });

  it('is no more than a message in 15 ms, however much changes', async () => {
    clock.advance(1_000);
    for (let i = 0; i < 300; i++) {
      publication.held(`peer ${i}`, HOUR_MS);
      clock.advance(1);
      await settled(1);
    }
    assert.equal(told.length, 300 / GATHER_MS);
  });

  it('is one message for what comes together, with the newest word on each peer', async () => {
    publication.held('a', HOUR_MS);
    publication.held('b', HOUR_MS);
    publication.letGo('b');
    clock.advance(5);
    publication.held('c', 2 * HOUR_MS);
    await settled();
    assert.deepEqual(told, []);
    clock.advance(10);
    await settled();
    assert.deepEqual(told, [[{ peer: 'a', ttlMs: HOUR_MS - 15 }, { peer: 'b', ttlMs: undefined }, { peer: 'c', ttlMs: 2 * HOUR_MS - 10 }]]);
    assert.deepEqual(delays, [15, 15, 10]);
  });

  it('goes in several messages where there is much of it', async () => {
    for (let i = 0; i < 1_000; i++) publication.held(`peer ${i}`, HOUR_MS);
    await gathered();
    assert.deepEqual(told.map((changes) => changes.length), [512, 488]);
  });

  it('is silent of what was never held', async () => {
    publication.letGo('a');
    await gathered();
    assert.deepEqual(told, []);
  });

  it('stops when the store does not take it, and tells all of what is held then when it is back', async () => {
    publication.held('a', HOUR_MS);
    await gathered();
    isAway = true;
    publication.letGo('a');
    publication.held('b', HOUR_MS);
    await gathered();
    assert.equal(failures, 1);
    publication.held('c', HOUR_MS);
    await gathered();
    assert.equal(failures, 1, 'nobody is asked');
    await assert.rejects(publication.tellAll());
    isAway = false;
    clock.advance(1_000);
    await publication.tellAll();
    assert.deepEqual(all, [[{ peer: 'b', ttlMs: HOUR_MS - 1_030 }, { peer: 'c', ttlMs: HOUR_MS - 1_015 }]]);
    publication.letGo('c');
    await gathered();
    assert.deepEqual(told.at(-1), [{ peer: 'c', ttlMs: undefined }]);
  });

  it('is not told twice of what all is told of meanwhile', async () => {
    publication.held('a', HOUR_MS);
    await publication.tellAll();
    await gathered();
    assert.deepEqual([all.length, told.length, delays], [1, 0, [0]]);
  });

  it('is due again from time to time, the rarer the more there is', async () => {
    assert.equal(publication.isDue(), false);
    clock.advance(30_000);
    assert.equal(publication.isDue(), true);
    for (let i = 0; i < 10_000; i++) publication.held(`peer ${i}`, HOUR_MS);
    await publication.tellAll();
    clock.advance(99_999);
    assert.equal(publication.isDue(), false);
    clock.advance(1);
    assert.equal(publication.isDue(), true);
    publication.close();
    assert.equal(publication.isDue(), false, 'nothing is told just in case while the store is away');
  });

  it('waits no longer than for seconds for a store that says nothing', async () => {
    const silent = new Publication({ registry: { publish: () => new Promise(() => {}), publishAll: () => Promise.resolve() }, clock, log: silentLogger, onTold: () => {}, onFailed: () => failures++ });
    await silent.tellAll();
    silent.held('a', HOUR_MS);
    await gathered();
    clock.advance(5_000);
    await settled();
    assert.equal(failures, 1);
  });

  it('knows what is held here', () => {
    publication.held('a', HOUR_MS);
    assert.deepEqual([publication.holds('a'), publication.holds('b')], [true, false]);
    publication.letGo('a');
    assert.equal(publication.holds('a'), false);
  });
});
