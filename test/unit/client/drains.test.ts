import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Candidate } from '../../../src/client/candidate.ts';
import { beginDraining, drained, endDraining, searchEndsAt } from '../../../src/client/drains.ts';
import type { HeldRelay } from '../../../src/client/held-relay.ts';
import { candidate, state } from './candidate-support.ts';

const HELD = { suspect: false, refused: false } as HeldRelay;

/** How often the relay was told that it may go. */
function counter(): { calls: number; ready: () => void } {
  const made = { calls: 0, ready: () => void (made.calls += 1) };
  return made;
}

function hold(relay: Candidate): void {
  relay.held = HELD;
}

test('a draining relay is kept until another is held, then let go and told so', async () => {
  const [leaving, other, next] = [await candidate({ held: {} }), await candidate({ held: {} }), await candidate()];
  const all = [leaving, other, next];
  const told = counter();
  beginDraining(leaving, all, state(2), told.ready);
  assert.deepEqual(drained(all, state(2)), []);
  assert.equal(told.calls, 0, 'there is one to try');
  hold(next);
  assert.deepEqual(drained(all, state(2)), [leaving]);
  assert.equal(told.calls, 1);
});

test('the only relay: it may go at once, and its reservation is kept', async () => {
  const only = await candidate({ held: {} });
  const told = counter();
  beginDraining(only, [only], state(1), told.ready);
  assert.deepEqual(drained([only], state(1)), []);
  assert.equal(told.calls, 1);
  drained([only], state(1));
  assert.equal(told.calls, 1, 'told once');
});

test('a relay in back-off is tried once more before there is said to be nowhere to go', async () => {
  const [leaving, waiting] = [await candidate({ held: {} }), await candidate({ retryAt: 20_000 })];
  const told = counter();
  beginDraining(leaving, [leaving, waiting], state(1), told.ready);
  drained([leaving, waiting], state(1));
  assert.equal(told.calls, 0);
  assert.equal(waiting.retryAt, 0);
  waiting.attemptAt = 0;
  drained([leaving, waiting], state(1));
  assert.equal(told.calls, 0, 'it is being tried');
  waiting.attemptAt = undefined;
  waiting.retryAt = 30_000;
  drained([leaving, waiting], state(1));
  assert.equal(told.calls, 1);
});

test('a relay that itself said when to come back is not asked before', async () => {
  const [leaving, full] = [await candidate({ held: {} }), await candidate({ retryAt: 20_000 })];
  full.notBefore = 15_000;
  beginDraining(leaving, [leaving, full], state(1), () => {});
  assert.equal(full.retryAt, 15_000);
});

test('the search has an end: the relay is told, and held on to', async () => {
  const [leaving, slow] = [await candidate({ held: {} }), await candidate({ attemptAt: 0 })];
  const told = counter();
  beginDraining(leaving, [leaving, slow], state(1), told.ready);
  const end = searchEndsAt(leaving);
  drained([leaving, slow], state(1, { nowMs: end - 1 }));
  assert.equal(told.calls, 0);
  assert.deepEqual(drained([leaving, slow], state(1, { nowMs: end })), []);
  assert.equal(told.calls, 1);
  assert.equal(searchEndsAt(leaving), Infinity);
});

test('two that drain together: one is let go for each that takes a place, and there are never fewer than before', async () => {
  const leaving = [await candidate({ held: {} }), await candidate({ held: {} })];
  const fresh = [await candidate(), await candidate()];
  const all = [...leaving, ...fresh];
  leaving.forEach((relay) => beginDraining(relay, all, state(2), () => {}));
  for (const [i, next] of fresh.entries()) {
    hold(next);
    const gone = drained(all, state(2));
    assert.equal(gone.length, 1, `after ${i + 1}`);
    gone.forEach((relay) => (relay.held = undefined));
    assert.equal(all.filter((relay) => relay.held !== undefined).length, 2);
  }
});

test('a relay that did not answer before does not count as one that must be replaced', async () => {
  const [leaving, silent, next] = [await candidate({ held: {} }), await candidate({ held: { suspect: true } }), await candidate({ held: {} })];
  const all = [leaving, silent, next];
  next.held = undefined;
  beginDraining(leaving, all, state(2), () => {});
  hold(next);
  assert.deepEqual(drained(all, state(2)), [leaving]);
});

test('a second notice answers the first, and going or coming back answers the last', async () => {
  const [leaving, next] = [await candidate({ held: {} }), await candidate()];
  const [first, second] = [counter(), counter()];
  beginDraining(leaving, [leaving, next], state(1), first.ready);
  beginDraining(leaving, [leaving, next], state(1, { nowMs: 3_000 }), second.ready);
  assert.deepEqual([first.calls, second.calls], [1, 0]);
  assert.equal(searchEndsAt(leaving), 5_000, 'from the first notice on');
  endDraining(leaving);
  assert.equal(second.calls, 1);
  assert.equal(leaving.draining, undefined);
});

test('a relay that is not held may go at once', async () => {
  const [idle, held] = [await candidate(), await candidate({ held: {} })];
  const told = counter();
  beginDraining(idle, [idle, held], state(1), told.ready);
  drained([idle, held], state(1));
  assert.equal(told.calls, 1);
});

test('a draining relay that itself does not answer is let go as soon as as many others work as before', async () => {
  const [leaving, next] = [await candidate({ held: {} }), await candidate()];
  beginDraining(leaving, [leaving, next], state(1), () => {});
  leaving.held = { suspect: true, refused: false } as HeldRelay;
  assert.deepEqual(drained([leaving, next], state(1)), []);
  hold(next);
  assert.deepEqual(drained([leaving, next], state(1)), [leaving]);
});

test('a relay that says again and again that it drains, or is not held, does not have others dialled without pause', async () => {
  const [leaving, idle, waiting] = [await candidate({ held: {} }), await candidate(), await candidate({ retryAt: 90_000 })];
  const all = [leaving, idle, waiting];
  beginDraining(idle, all, state(1), () => {});
  assert.equal(waiting.retryAt, 90_000, 'nothing hangs on a relay that is not held');
  const alarms: number[] = [];
  for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
    waiting.retryAt = 90_000;
    beginDraining(leaving, all, state(1, { nowMs }), () => {});
    if (waiting.retryAt === nowMs) alarms.push(nowMs);
    endDraining(leaving);
  }
  assert.deepEqual(alarms, [0, 30_000]);
});
