import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Readiness } from '../../../src/admin/readiness.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { FakeView } from './fake-view.ts';

test('a check that does not end in time is a reason, even when it ignores the signal', async () => {
  const clock = new ManualClock();
  const view = new FakeView();
  let signal: AbortSignal | undefined;
  view.problems = (given) => {
    signal = given;
    return new Promise(() => {});
  };
  const readiness = new Readiness(view, clock);
  const problems = readiness.problems();
  clock.advance(5_000);
  assert.deepEqual(await problems, ['the readiness check took longer than 5 s']);
  assert.equal(signal?.aborted, true);
  assert.equal(clock.pending, 0);
});

test('a check that throws is a reason', async () => {
  const view = new FakeView();
  view.problems = () => Promise.reject(new Error('the self-check broke'));
  const clock = new ManualClock();
  assert.deepEqual(await new Readiness(view, clock).problems(), ['the self-check broke']);
  assert.equal(clock.pending, 0);
});

test('a node that begins to drain is not ready, whatever the last check said', async () => {
  const view = new FakeView();
  const readiness = new Readiness(view, new ManualClock());
  assert.deepEqual(await readiness.problems(), []);
  view.current = 'draining';
  assert.deepEqual(await readiness.problems(), ['draining']);
});

test('a stop ends the check that is under way', async () => {
  const view = new FakeView();
  view.problems = () => new Promise(() => {});
  const readiness = new Readiness(view, new ManualClock());
  const problems = readiness.problems();
  readiness.stop();
  assert.deepEqual(await problems, ['the admin server stops']);
});
