import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Patience } from '../../../src/coordination/patience.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { Clock } from '../../../src/lib/clock.ts';

describe('how long a store may take', () => {
  it('is the most before it has ever answered, then eight times what it takes, within bounds', () => {
    const patience = new Patience(new ManualClock());
    assert.equal(patience.limitMs(), 250);
    patience.took(5);
    assert.equal(patience.limitMs(), 40);
    assert.equal(patience.limitMs(10), 80, 'a round trip that is known from elsewhere counts');
    patience.took(0);
    assert.ok(patience.limitMs() < 40 && patience.limitMs() > 35, 'slowly down');
    patience.took(1_000);
    assert.equal(patience.limitMs(), 250);
    for (let i = 0; i < 500; i++) patience.took(0.1);
    assert.equal(patience.limitMs(), 25);
  });

  it('is not over while this process itself stands still or is busy', () => {
    const [clock, passes] = lateClock();
    const wait = new Patience(clock).wait(40, new AbortController().signal);
    passes(3_000);
    for (let i = 0; i < 6; i++) passes(30);
    assert.equal(wait.signal.aborted, false, 'the answer may lie there unread');
    passes(5);
    assert.equal(wait.signal.aborted, true);
  });

  it('is over after as long as it was to be where nothing else runs', () => {
    const clock = new ManualClock();
    const wait = new Patience(clock).wait(40, new AbortController().signal);
    clock.advance(39);
    assert.equal(wait.signal.aborted, false);
    clock.advance(1);
    assert.equal(wait.signal.aborted, true);
  });

  it('ends with who waits, and leaves no timer behind', () => {
    const clock = new ManualClock();
    const gone = new AbortController();
    const wait = new Patience(clock).wait(25, gone.signal);
    gone.abort(new Error('gone'));
    assert.equal((wait.signal.reason as Error).message, 'gone');
    wait.clear();
    assert.equal(clock.pending, 0);
  });
});

/** A clock whose next timer fires after so many milliseconds, whatever it was set to. */
function lateClock(): [Clock, (ms: number) => void] {
  let now = 0;
  let next = (): void => {};
  const clock: Clock = {
    now: () => now,
    wall: () => now,
    setTimer: (fn) => {
      next = fn;
      return { cancel: () => {} };
    },
    setCoarseTimer: (fn, ms) => clock.setTimer(fn, ms),
  };
  return [clock, (ms) => ((now += ms), next())];
}
