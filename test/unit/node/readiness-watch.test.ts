import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { ReadinessWatch } from '../../../src/node/readiness-watch.ts';
import { settled } from '../../support/waiting.ts';

interface Check {
  signal: AbortSignal;
  answer: PromiseWithResolvers<string[]>;
}

function make(): { watch: ReadinessWatch; clock: ManualClock; checks: Check[] } {
  const clock = new ManualClock();
  const checks: Check[] = [];
  const watch = new ReadinessWatch((signal) => {
    const answer = Promise.withResolvers<string[]>();
    checks.push({ signal, answer });
    return answer.promise;
  }, clock);
  watch.start();
  return { watch, clock, checks };
}

const never = new AbortController().signal;

describe('the readiness watch', () => {
  it('checks once for all who ask at the same time, and gives each the answer', async () => {
    const { watch, checks } = make();
    const asked = [watch.problems(never), watch.problems(never)];
    checks[0]?.answer.resolve(['late']);
    assert.deepEqual(await Promise.all(asked), [['late'], ['late']]);
    assert.equal(checks.length, 1);
    assert.deepEqual(watch.lastProblems(), ['late']);
  });

  it('begins a check by itself when its answer is read and 15 s old, and does not make the reader wait', async () => {
    const { watch, clock, checks } = make();
    assert.equal(watch.lastProblems(), undefined);
    clock.advance(14_999);
    watch.lastProblems();
    assert.equal(checks.length, 0);
    clock.advance(1);
    assert.equal(watch.lastProblems(), undefined);
    assert.equal(checks.length, 1);
    checks[0]?.answer.resolve([]);
    await settled();
    assert.deepEqual(watch.lastProblems(), []);
    clock.advance(15_000);
    assert.deepEqual(watch.lastProblems(), []);
    assert.equal(checks.length, 2);
    checks[1]?.answer.reject(new Error('no way through'));
    await settled();
    assert.deepEqual(watch.lastProblems(), ['no way through']);
  });

  it('calls a check that takes longer than 5 s a problem', async () => {
    const { watch, clock } = make();
    const asked = watch.problems(never);
    clock.advance(5_000);
    assert.deepEqual(await asked, ['no answer within 5000 ms']);
  });

  it('lets an asker go whose own time is over', async () => {
    const { watch, checks } = make();
    await assert.rejects(watch.problems(AbortSignal.abort(new Error('enough'))), /enough/);
    assert.equal(checks[0]?.signal.aborted, false);
  });

  it('ends its check when it stops, begins none afterwards, and begins anew', async () => {
    const { watch, clock, checks } = make();
    const asked = watch.problems(never);
    await watch.stop();
    assert.deepEqual(await asked, ['the node is stopping']);
    assert.equal(checks[0]?.signal.aborted, true);
    clock.advance(60_000);
    watch.lastProblems();
    assert.equal(checks.length, 1);
    watch.start();
    assert.equal(watch.lastProblems(), undefined);
    clock.advance(15_000);
    watch.lastProblems();
    assert.equal(checks.length, 2);
  });
});
