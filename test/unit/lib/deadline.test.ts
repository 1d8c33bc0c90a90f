import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { ManualClock } from '../../../src/lib/clock.ts';
import { abortable, deadline, sleep, withDeadline } from '../../../src/lib/deadline.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { settled } from '../../support/waiting.ts';

const late = (error: unknown): boolean => error instanceof RelaydError && error.code === 'TIMEOUT';
const watching = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('deadline', () => {
  it('aborts at its time, not before, and not when it was cleared', () => {
    const clock = new ManualClock();
    const [limit, cleared] = [deadline(1_000, clock), deadline(1_000, clock)];
    cleared.clear();
    clock.advance(999);
    assert.equal(limit.signal.aborted, false);
    clock.advance(1);
    assert.ok(late(limit.signal.reason));
    assert.equal(cleared.signal.aborted, false);
    assert.equal(clock.pending, 0);
  });

  it('aborts with a parent, for its reason, also with one that has aborted already', () => {
    const parent = new AbortController();
    const reason = new Error('the relay is stopping');
    const limit = deadline(1_000, new ManualClock(), new AbortController().signal, parent.signal);
    parent.abort(reason);
    assert.equal(limit.signal.reason, reason);
    assert.equal(deadline(1_000, new ManualClock(), parent.signal).signal.reason, reason);
  });

  it('leaves nothing on a parent that lives on', () => {
    const parent = new AbortController();
    const clock = new ManualClock();
    for (let i = 0; i < 100; i++) deadline(1_000, clock, parent.signal).clear();
    assert.deepEqual([watching(parent.signal), clock.pending], [0, 0]);
  });
});

describe('withDeadline', () => {
  it('gives what the work gives, or throws what it throws, and leaves nothing', async () => {
    const parent = new AbortController();
    const clock = new ManualClock();
    assert.equal(await withDeadline(1_000, clock, [parent.signal], () => Promise.resolve(7)), 7);
    await assert.rejects(withDeadline(1_000, clock, [parent.signal], () => Promise.reject(new Error('no'))), /no/);
    assert.deepEqual([watching(parent.signal), clock.pending], [0, 0]);
  });

  it('does not wait for work that does not heed its signal', async () => {
    const clock = new ManualClock();
    const working = assert.rejects(withDeadline(1_000, clock, [], () => new Promise(() => {})), late);
    await settled(1);
    clock.advance(1_000);
    await working;
    assert.equal(clock.pending, 0);
  });
});

describe('abortable', () => {
  it('is the promise, until the signal aborts; what the promise does later goes unheard', async () => {
    assert.equal(await abortable(Promise.resolve(1), new AbortController().signal), 1);
    const stop = new AbortController();
    const work = Promise.withResolvers<void>();
    const waiting = assert.rejects(abortable(work.promise, stop.signal), /enough/);
    stop.abort(new Error('enough'));
    await waiting;
    work.reject(new Error('late'));
    await assert.rejects(abortable(Promise.reject(new Error('late')), AbortSignal.abort(new Error('enough'))), /enough/);
    await settled();
  });
});

describe('sleep', () => {
  it('ends at its time, or with its signal', async () => {
    const clock = new ManualClock();
    const sleeping = sleep(1_000, clock, new AbortController().signal);
    clock.advance(1_000);
    await sleeping;
    const stop = new AbortController();
    const cut = sleep(1_000, clock, stop.signal);
    stop.abort();
    await cut;
    await sleep(1_000, clock, AbortSignal.abort());
    assert.deepEqual([clock.pending, watching(stop.signal)], [0, 0]);
  });
});
