import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ManualClock } from '../../../src/lib/clock.ts';
import { TimerWheel } from '../../../src/lib/timer-wheel.ts';

const TICK_MS = 100;

describe('TimerWheel', () => {
  let clock: ManualClock;
  let wheel: TimerWheel;
  let fired: [string, number][];
  beforeEach(() => {
    clock = new ManualClock();
    wheel = new TimerWheel(clock, TICK_MS);
    fired = [];
  });
  const note = (name: string) => (): void => void fired.push([name, clock.now()]);

  it('fires each timer once, at the first tick that is not before its time', () => {
    clock.advance(30);
    wheel.setTimer(note('b'), 100);
    wheel.setTimer(note('a'), 70);
    wheel.setTimer(note('now'), 0);
    wheel.setTimer(note('never'), Infinity);
    clock.advance(1000);
    assert.deepEqual(fired, [['a', 100], ['now', 100], ['b', 200]]);
  });

  it('is never early and less than a tick late, whatever is set and cancelled when', () => {
    const quarters = (maxMs: number) => fc.nat(maxMs * 4).map((n) => n / 4);
    const timers = fc.array(fc.record({ atMs: quarters(2000), delayMs: quarters(5000), cancel: fc.boolean() }), { maxLength: 40 });
    fc.assert(
      fc.property(timers, (plan) => {
        const time = new ManualClock();
        const turning = new TimerWheel(time, TICK_MS);
        const seen = plan.map(() => [] as number[]);
        for (const [i, { atMs, delayMs, cancel }] of [...plan.entries()].sort(([, a], [, b]) => a.atMs - b.atMs)) {
          time.advance(Math.max(0, atMs - time.now()));
          const dueAt = time.now() + delayMs;
          const timer = turning.setTimer(() => seen[i]?.push(time.now() - dueAt), delayMs);
          if (cancel) timer.cancel();
        }
        time.advance(8000);
        plan.forEach(({ cancel }, i) => {
          assert.equal(seen[i]?.length, cancel ? 0 : 1);
          assert.ok(seen[i].every((late) => late >= 0 && late < TICK_MS), String(seen[i]));
        });
        assert.equal(time.pending, 0, 'the timer underneath rests');
      }),
    );
  });

  it('lets a timer set and cancel others while it fires', () => {
    let other = wheel.setTimer(note('cancelled'), 50);
    wheel.setTimer(() => {
      other.cancel();
      other.cancel();
      wheel.setTimer(note('nested'), 0);
    }, 10);
    other.cancel();
    other = wheel.setTimer(note('cancelled later'), 60);
    clock.advance(100);
    assert.deepEqual(fired, []);
    clock.advance(100);
    assert.deepEqual(fired, [['nested', 200]]);
    assert.equal(clock.pending, 0);
  });

  it('catches up, in order, when the clock underneath calls late', () => {
    let behind = (): void => {};
    const late = { now: () => clock.now(), setTimer: (fn: () => void) => ((behind = fn), { cancel: () => {} }) };
    const slow = new TimerWheel(late, TICK_MS);
    slow.setTimer(note('second'), 450);
    slow.setTimer(note('first'), 120);
    slow.setTimer(note('not yet'), 1200);
    clock.advance(1000);
    behind();
    assert.deepEqual(fired, [['first', 1000], ['second', 1000]]);
  });

  it('keeps one timer underneath, and none while it holds nothing', () => {
    assert.equal(clock.pending, 0);
    const timers = Array.from({ length: 50 }, (_, i) => wheel.setTimer(note(String(i)), i * 10));
    assert.equal(clock.pending, 1);
    timers.forEach((timer) => timer.cancel());
    clock.advance(TICK_MS);
    assert.equal(clock.pending, 0);
    assert.deepEqual(fired, []);
  });
});
