import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Candidate } from '../../../src/client/candidate.ts';
import { Survey } from '../../../src/client/survey.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { settled } from '../../support/waiting.ts';
import { candidate } from './candidate-support.ts';

interface Surveyed {
  clock: ManualClock;
  survey: Survey;
  /** Ends the measurement of one. */
  answers: Map<Candidate, () => void>;
  settledAt: number[];
}

function surveyed(): Surveyed {
  const clock = new ManualClock();
  const answers = new Map<Candidate, () => void>();
  const settledAt: number[] = [];
  const survey = new Survey({
    clock,
    measure: (relay) => new Promise((resolve) => answers.set(relay, () => resolve(1))),
    onMeasured: () => {},
    onFailed: () => {},
    onSettled: () => settledAt.push(clock.now()),
  });
  return { clock, survey, answers, settledAt };
}

test('a choice waits a little for the others when one has answered, however many answer after it', async () => {
  const { clock, survey, answers, settledAt } = surveyed();
  const relays = await Promise.all(Array.from({ length: 16 }, () => candidate()));
  survey.begin(relays);
  for (const relay of relays.slice(0, 12)) {
    assert.equal(survey.open, clock.now() < 500, `at ${clock.now()} ms`);
    clock.advance(200);
    answers.get(relay)?.();
    await settled();
  }
  assert.deepEqual(settledAt, [500]);
});

test('a choice waits two seconds when none answers', async () => {
  const { clock, survey, settledAt } = surveyed();
  survey.begin([await candidate()]);
  clock.advance(1_999);
  assert.equal(survey.open, true);
  clock.advance(1);
  assert.deepEqual([survey.open, settledAt], [false, [2_000]]);
});

test('a choice need not wait when all have answered', async () => {
  const { clock, survey, answers, settledAt } = surveyed();
  const relay = await candidate();
  survey.begin([relay]);
  answers.get(relay)?.();
  await settled();
  assert.deepEqual([survey.open, settledAt, clock.pending], [false, [0], 0]);
});

test('stopped, it waits for nothing and leaves no timer', async () => {
  const { clock, survey, settledAt } = surveyed();
  survey.begin([await candidate()]);
  survey.stop();
  assert.deepEqual([survey.open, clock.pending], [false, 0]);
  clock.advance(5_000);
  assert.deepEqual(settledAt, []);
});
