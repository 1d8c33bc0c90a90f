import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Renewal, renewalDelayMs } from '../../../src/client/renewal.ts';
import type { Reservation } from '../../../src/client/reservation.ts';
import { ManualClock } from '../../../src/lib/clock.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function grant(clock: ManualClock, ttlMs: number): Reservation {
  return { ttlMs, expiresAt: clock.now() + ttlMs, expiresAtWall: clock.wall() + ttlMs, addrs: [], limit: undefined, tokenProblem: undefined, isMember: false };
}

interface Rig {
  clock: ManualClock;
  renewal: Renewal;
  asked: number[];
  events: string[];
  /** What the next RESERVE does. */
  answer: () => Promise<Reservation>;
}

function rig(ttlMs: number, random = 0.5): Rig {
  const clock = new ManualClock();
  const made: Rig = { clock, asked: [], events: [], answer: async () => grant(clock, ttlMs), renewal: undefined as unknown as Renewal };
  made.renewal = new Renewal(grant(clock, ttlMs), {
    clock,
    random: () => random,
    reserve: () => {
      made.asked.push(clock.now());
      return made.answer();
    },
    onRenewed: () => made.events.push('renewed'),
    onFailed: () => made.events.push('failed'),
    onExpired: () => made.events.push('expired'),
  });
  return made;
}

test('renewal is due at half the TTL, a tenth earlier or later', () => {
  assert.equal(renewalDelayMs(3_600_000, () => 0.5), 1_800_000);
  assert.equal(renewalDelayMs(4000, () => 0), 1800);
  assert.equal(renewalDelayMs(4000, () => 1), 2200);
});

test('a long TTL is renewed every half hour all the same: the relay\'s clock may be behind', () => {
  assert.equal(renewalDelayMs(7 * 24 * 3_600_000, () => 0.5), 30 * 60_000);
});

test('a reservation of a few seconds is renewed again and again and never expires', async () => {
  const made = rig(2000);
  for (let i = 0; i < 20; i++) {
    made.clock.advance(500);
    await settle();
  }
  assert.equal(made.asked.length, 10);
  assert.ok(made.events.every((event) => event === 'renewed'));
  made.renewal.stop();
  assert.equal(made.clock.pending, 0);
});

test('a failed renewal is tried again with back-off until the expiry, and only then it is over', async () => {
  const made = rig(10_000, 1);
  made.answer = () => Promise.reject(new Error('no'));
  for (let i = 0; i < 220; i++) {
    made.clock.advance(50);
    await settle();
  }
  assert.deepEqual(made.asked, [5500, 5750, 6250, 7250, 9250], '250, 500, 1000, 2000 ms apart');
  assert.deepEqual(made.events, ['failed', 'failed', 'failed', 'failed', 'failed', 'expired']);
  assert.equal(made.clock.pending, 0);
});

test('a renewal that succeeds late moves the expiry', async () => {
  const made = rig(10_000, 0.5);
  made.answer = () => Promise.reject(new Error('no'));
  made.clock.advance(5000);
  await settle();
  made.answer = async () => grant(made.clock, 10_000);
  made.clock.advance(1000);
  await settle();
  made.clock.advance(4500);
  await settle();
  assert.ok(!made.events.includes('expired'));
  made.renewal.stop();
});

test('a renewal that hangs does not keep the reservation beyond its expiry', async () => {
  const made = rig(10_000);
  made.answer = () => new Promise(() => {});
  made.clock.advance(10_000);
  await settle();
  assert.deepEqual(made.events, ['expired']);
});

test('after stop, an answer under way changes nothing', async () => {
  const made = rig(10_000);
  let answer: (reservation: Reservation) => void = () => {};
  made.answer = () => new Promise((resolve) => (answer = resolve));
  made.clock.advance(5000);
  made.renewal.stop();
  answer(grant(made.clock, 10_000));
  await settle();
  made.clock.advance(20_000);
  assert.deepEqual(made.events, []);
  assert.equal(made.clock.pending, 0);
});

test('a step of the wall clock changes nothing', async () => {
  const made = rig(10_000);
  made.clock.stepWall(3_600_000);
  made.clock.advance(4999);
  await settle();
  assert.deepEqual(made.events, []);
  made.clock.advance(1);
  await settle();
  assert.deepEqual(made.events, ['renewed']);
  made.renewal.stop();
});

test('what is shown to the relay has changed: it is renewed at once, and again when a renewal was under way', async () => {
  const made = rig(60_000);
  made.renewal.renewNow();
  made.clock.advance(0);
  await settle();
  assert.deepEqual([made.asked.length, made.events], [1, ['renewed']]);
  const slow = Promise.withResolvers<Reservation>();
  made.answer = () => slow.promise;
  made.renewal.renewNow();
  made.clock.advance(0);
  made.renewal.renewNow();
  made.renewal.renewNow();
  made.clock.advance(0);
  assert.equal(made.asked.length, 2, 'one at a time');
  slow.resolve(grant(made.clock, 60_000));
  await settle();
  made.clock.advance(0);
  await settle();
  assert.deepEqual([made.asked.length, made.events.length], [3, 3]);
  made.renewal.stop();
  assert.equal(made.clock.pending, 0);
});
