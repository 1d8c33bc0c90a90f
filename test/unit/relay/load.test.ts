import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../src/lib/clock.ts';
import { Load } from '../../../src/relay/load.ts';
import type { LoadFigures } from '../../../src/relay/load.ts';

describe('Load', () => {
  let clock: ManualClock;
  let figures: LoadFigures;
  let load: Load;

  const set = (changes: Partial<LoadFigures>): void => {
    figures = { ...figures, ...changes };
  };
  const reservations = (count: number, max = 100): number => {
    set({ reservations: { count, max } });
    return load.now().reservations;
  };

  beforeEach(() => {
    clock = new ManualClock();
    figures = { reservations: { count: 0, max: 100 }, circuits: { count: 0, max: 100 }, bytesRelayed: 0, maxBytesPerSecond: Infinity, eventLoopDelayMs: 0 };
    load = new Load(clock, () => figures);
  });

  it('is in a few steps: nobody counts the clients of a relay by it', () => {
    assert.deepEqual([0, 1, 9, 10, 24, 25, 50, 80, 90, 99, 100].map((count) => reservations(count)), [0, 0, 0, 0.1, 0.1, 0.25, 0.5, 0.75, 0.9, 0.9, 1]);
    const steps = new Set<number>();
    fc.assert(fc.property(fc.nat(100), (count) => void steps.add(reservations(count))));
    assert.ok(steps.size <= 7);
  });

  it('does not change with what hovers at a step', () => {
    assert.equal(reservations(50), 0.5);
    assert.deepEqual([49, 50, 45, 51, 44].map((count) => reservations(count)), [0.5, 0.5, 0.5, 0.5, 0.5]);
    assert.equal(reservations(43), 0.25);
    assert.equal(reservations(49), 0.25);
    assert.equal(reservations(0), 0);
  });

  it('is full where nobody has room', () => {
    assert.equal(reservations(0, 0), 1);
  });

  it('has the circuits and the delay of the event loop in steps of their own', () => {
    set({ circuits: { count: 76, max: 100 }, eventLoopDelayMs: 130 });
    assert.deepEqual(load.now(), { reservations: 0, circuits: 0.75, bandwidth: undefined, eventLoopDelayMs: 100 });
    set({ eventLoopDelayMs: 60_000 });
    assert.equal(load.now().eventLoopDelayMs, 2_500);
  });

  it('has the bandwidth since the last measurement, where a total is set', () => {
    set({ maxBytesPerSecond: 1_000, bytesRelayed: 0 });
    assert.equal(load.now().bandwidth, 0);
    clock.advance(10_000);
    set({ bytesRelayed: 6_000 });
    load.measure();
    assert.equal(load.now().bandwidth, 0.5);
    clock.advance(10_000);
    load.measure();
    assert.equal(load.now().bandwidth, 0);
  });
});
