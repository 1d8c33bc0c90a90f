import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { paced } from '../../../src/relay/pace.ts';
import { settled } from '../../support/waiting.ts';

const never = new AbortController().signal;

function workload(): { at: number[]; most: () => number; work: (item: number) => Promise<void>; finish: () => void } {
  const at: number[] = [];
  let open: (() => void)[] = [];
  let most = 0;
  const work = (item: number): Promise<void> => {
    at.push(item);
    return new Promise((resolve) => {
      open.push(resolve);
      most = Math.max(most, open.length);
    });
  };
  const finish = (): void => {
    const resolves = open;
    open = [];
    resolves.forEach((resolve) => resolve());
  };
  return { at, most: () => most, work, finish };
}

describe('paced', () => {
  it('does each once, and no more at a time than it may', async () => {
    const { at, most, work, finish } = workload();
    let over = false;
    const done = paced([1, 2, 3, 4, 5, 6, 7].values(), { concurrency: 3, rate: undefined }, new ManualClock(), never, work).then(() => (over = true));
    for (let i = 0; i < 3; i++) {
      await settled(2);
      assert.equal(over, false);
      finish();
    }
    await done;
    assert.deepEqual(at, [1, 2, 3, 4, 5, 6, 7]);
    assert.equal(most(), 3);
  });

  it('does no more in a time than it may', async () => {
    const clock = new ManualClock();
    const at: number[] = [];
    const done = paced(Array.from({ length: 50 }, (_, i) => i).values(), { concurrency: 4, rate: { count: 10, perMs: 100 } }, clock, never, async (item) => void at.push(item));
    await settled(2);
    assert.equal(at.length, 10);
    for (const expected of [20, 30, 40, 50]) {
      for (let step = 0; step < 10; step++) {
        clock.advance(10);
        await settled(1);
      }
      assert.equal(at.length, expected);
    }
    await done;
    assert.equal(clock.pending, 0);
  });

  it('ends early when it is told to', async () => {
    const { at, work, finish } = workload();
    const stop = new AbortController();
    const clock = new ManualClock();
    const done = paced([1, 2, 3, 4].values(), { concurrency: 2, rate: { count: 2, perMs: 1000 } }, clock, stop.signal, work);
    await settled(2);
    finish();
    await settled(2);
    stop.abort();
    await done;
    assert.deepEqual(at, [1, 2]);
    assert.equal(clock.pending, 0);
  });
});
