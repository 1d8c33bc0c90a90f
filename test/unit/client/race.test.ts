import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RaceLost, race } from '../../../src/client/race.ts';
import type { Contender } from '../../../src/client/race.ts';
import { ManualClock } from '../../../src/lib/clock.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Runner extends Contender<string> {
  startedAt: number | undefined;
  aborted: boolean;
  discarded: string[];
  win(): void;
  fail(): void;
}

function runner(label: string, clock: ManualClock): Runner {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const made: Runner = {
    label,
    startedAt: undefined,
    aborted: false,
    discarded: [],
    win: () => resolve(label),
    fail: () => reject(new Error(`${label} failed`)),
    run: (signal) => {
      made.startedAt = clock.now();
      signal.addEventListener('abort', () => (made.aborted = true));
      return promise;
    },
    discard: (value) => made.discarded.push(value),
  };
  return made;
}

function setUp(shape: number[], signal = new AbortController().signal): { clock: ManualClock; all: Runner[]; result: Promise<string> } {
  const clock = new ManualClock();
  let n = 0;
  const slots = shape.map((size) => Array.from({ length: size }, () => runner(`c${n++}`, clock)));
  const result = race(slots, { staggerMs: 250, contenderMs: 10_000, clock, signal });
  result.catch(() => {});
  return { clock, all: slots.flat(), result };
}

test('slots start 250 ms apart; the first success wins and ends the others', async () => {
  const { clock, all, result } = setUp([2, 1, 1]);
  clock.advance(250);
  assert.deepEqual(all.map(({ startedAt }) => startedAt), [0, 0, 250, undefined]);
  all[2]?.win();
  assert.equal(await result, 'c2');
  assert.deepEqual(all.map(({ aborted }) => aborted), [true, true, false, false]);
  clock.advance(1000);
  assert.equal(all[3]?.startedAt, undefined);
  assert.equal(clock.pending, 0);
});

test('when a whole slot has failed, the next starts at once', async () => {
  const { clock, all, result } = setUp([2, 1]);
  all[0]?.fail();
  await settle();
  assert.equal(all[2]?.startedAt, undefined);
  clock.advance(10);
  all[1]?.fail();
  await settle();
  assert.equal(all[2]?.startedAt, 10);
  all[2]?.win();
  assert.equal(await result, 'c2');
});

test('a failure in an earlier slot does not hurry the next', async () => {
  const { clock, all } = setUp([1, 1, 1]);
  clock.advance(250);
  all[0]?.fail();
  await settle();
  assert.equal(all[2]?.startedAt, undefined);
  clock.advance(250);
  assert.equal(all[2]?.startedAt, 500);
});

test('what comes after the winner is discarded', async () => {
  const { all, result } = setUp([2]);
  all[0]?.win();
  await result;
  all[1]?.win();
  await settle();
  assert.deepEqual(all.map(({ discarded }) => discarded), [[], ['c1']]);
});

test('when all fail, all errors are there', async () => {
  const { all, result } = setUp([1, 1]);
  all[0]?.fail();
  all[1]?.fail();
  await assert.rejects(result, (error: RaceLost) => {
    assert.deepEqual(error.failures.map(({ label, error: cause }) => `${label}: ${(cause as Error).message}`), ['c0: c0 failed', 'c1: c1 failed']);
    return true;
  });
});

test('a contender that hangs fails by its own deadline', async () => {
  const { clock, all, result } = setUp([1]);
  clock.advance(10_000);
  await assert.rejects(result, RaceLost);
  assert.ok(all[0]?.aborted);
  all[0]?.win();
  await settle();
  assert.deepEqual(all[0]?.discarded, ['c0']);
});

test('an abort ends the race, names what was still under way, and leaves nothing running', async () => {
  const controller = new AbortController();
  const { clock, all, result } = setUp([1, 1, 1], controller.signal);
  all[0]?.fail();
  await settle();
  controller.abort(new Error('enough'));
  await assert.rejects(result, (error: RaceLost) => {
    assert.equal((error.cause as Error).message, 'enough');
    assert.deepEqual(error.failures.map(({ label }) => label), ['c0', 'c1']);
    return true;
  });
  assert.ok(all[1]?.aborted);
  assert.equal(clock.pending, 0);
});

test('a race without contenders is lost at once', async () => {
  await assert.rejects(setUp([]).result, RaceLost);
  await assert.rejects(setUp([1], AbortSignal.abort(new Error('before'))).result, RaceLost);
});
