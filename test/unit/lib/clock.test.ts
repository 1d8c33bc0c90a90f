import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock, systemClock } from '../../../src/lib/clock.ts';
import { within } from '../../support/waiting.ts';

describe('systemClock', () => {
  it('fires a timer once, not before its time, and not when it was cancelled', async () => {
    let cancelled = false;
    systemClock.setTimer(() => (cancelled = true), 1).cancel();
    const keepAlive = setTimeout(() => {}, 10_000);
    // Node's own fire up to a millisecond early, about every fourth of them.
    for (let i = 0; i < 60; i++) {
      const start = systemClock.now();
      await within(new Promise<void>((resolve) => systemClock.setTimer(resolve, 5)), 'the timer');
      assert.ok(systemClock.now() - start >= 5, `${systemClock.now() - start} ms`);
    }
    clearTimeout(keepAlive);
    assert.equal(cancelled, false);
  });

  it('does not fire at once for a delay that Node\'s timers cannot hold, nor ever for an endless one', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let fired = 0;
    const month = 31 * 24 * 3_600_000;
    systemClock.setTimer(() => fired++, month);
    systemClock.setTimer(() => fired++, Infinity).cancel();
    t.mock.timers.tick(2 ** 31 - 2);
    assert.equal(fired, 0);
    t.mock.timers.tick(1);
    t.mock.timers.tick(month - 2 ** 31);
    assert.equal(fired, 0);
    t.mock.timers.tick(2);
    assert.equal(fired, 1);
    systemClock.setTimer(() => fired++, month).cancel();
    const late = systemClock.setTimer(() => fired++, month);
    t.mock.timers.tick(2 ** 31);
    late.cancel();
    t.mock.timers.tick(month);
    assert.equal(fired, 1, 'a timer in its second leg can be cancelled too');
  });

  it('leaves no timer that keeps the process alive', () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const set = [systemClock.setTimer(() => {}, 60_000), systemClock.setCoarseTimer(() => {}, 60_000)];
    assert.equal(timers(), before);
    set.forEach((timer) => timer.cancel());
  });

  it('fires a coarse timer late by no more than it says, as far as the machine is not', async () => {
    const start = systemClock.now();
    const keepAlive = setTimeout(() => {}, 10_000);
    await within(new Promise<void>((resolve) => systemClock.setCoarseTimer(resolve, 20)), 'the timer');
    clearTimeout(keepAlive);
    assert.ok(systemClock.now() - start >= 20, `${systemClock.now() - start} ms`);
  });
});

describe('ManualClock', () => {
  it('fires timers in the order of their times, with the clock at that time', () => {
    const clock = new ManualClock(1000);
    const seen: [string, number, number][] = [];
    const note = (name: string) => (): void => void seen.push([name, clock.now(), clock.wall()]);
    clock.setTimer(note('late'), 30);
    clock.setTimer(() => {
      note('first')();
      clock.setTimer(note('nested'), 10);
    }, 10);
    clock.setTimer(note('cancelled'), 15).cancel();
    clock.setTimer(note('never'), Infinity);
    assert.equal(clock.pending, 2);
    clock.advance(25);
    clock.advance(5);
    assert.deepEqual(seen, [['first', 10, 1010], ['nested', 20, 1020], ['late', 30, 1030]]);
    assert.equal(clock.pending, 0);
  });

  it('moves its wall clock alone', () => {
    const clock = new ManualClock(1000);
    clock.stepWall(-500);
    assert.deepEqual([clock.now(), clock.wall()], [0, 500]);
    clock.advance(10);
    assert.deepEqual([clock.now(), clock.wall()], [10, 510]);
  });
});
