import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedAttempts } from '../../../src/client/shared-attempt.ts';

function work(): { calls: number; run: (signal: AbortSignal) => Promise<string>; finish: (value: string) => void; signal: AbortSignal | undefined } {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const made = {
    calls: 0,
    signal: undefined as AbortSignal | undefined,
    finish: resolve,
    run: (signal: AbortSignal) => {
      made.calls += 1;
      made.signal = signal;
      signal.addEventListener('abort', () => reject(new Error('work ended')));
      return promise;
    },
  };
  return made;
}

const never = (): AbortSignal => new AbortController().signal;

test('callers of one key share one piece of work', async () => {
  const attempts = new SharedAttempts<string>();
  const { run, finish, ...rest } = work();
  const made = { run, finish, ...rest };
  const both = [attempts.join('a', never(), run), attempts.join('a', never(), run)];
  made.finish('done');
  assert.deepEqual(await Promise.all(both), ['done', 'done']);
});

test('a caller that gives up does not end it for the others', async () => {
  const attempts = new SharedAttempts<string>();
  const job = work();
  const impatient = new AbortController();
  const first = attempts.join('a', impatient.signal, job.run);
  const second = attempts.join('a', never(), job.run);
  impatient.abort(new Error('too long'));
  await assert.rejects(first, /too long/);
  assert.equal(job.signal?.aborted, false);
  job.finish('done');
  assert.equal(await second, 'done');
  assert.equal(job.calls, 1);
});

test('the last caller to give up ends the work and hears what it says', async () => {
  const attempts = new SharedAttempts<string>();
  const job = work();
  const impatient = new AbortController();
  const only = attempts.join('a', impatient.signal, job.run);
  impatient.abort(new Error('too long'));
  await assert.rejects(only, /work ended/);
  assert.equal(job.signal?.aborted, true);
});

test('work that is over is not joined', async () => {
  const attempts = new SharedAttempts<string>();
  const [first, second] = [work(), work()];
  first.finish('one');
  assert.equal(await attempts.join('a', never(), first.run), 'one');
  second.finish('two');
  assert.equal(await attempts.join('a', never(), second.run), 'two');
});

test('abortAll ends everything under way', async () => {
  const attempts = new SharedAttempts<string>();
  const job = work();
  const result = attempts.join('a', never(), job.run);
  attempts.abortAll(new Error('stopping'));
  await assert.rejects(result, /work ended/);
});
