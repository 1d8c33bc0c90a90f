import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Probe } from '../../../src/client/probing.ts';
import { ManualClock } from '../../../src/lib/clock.ts';

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Rig {
  clock: ManualClock;
  probe: Probe;
  events: { at: number; what: string }[];
  asked: number[];
  answer: (signal: AbortSignal) => Promise<number>;
}

function rig(options: { random?: number; rttMs?: number; clock?: ManualClock; first?: () => Promise<number> } = {}): Rig {
  const clock = options.clock ?? new ManualClock();
  const made: Rig = { clock, events: [], asked: [], answer: options.first ?? (async () => 10), probe: undefined as unknown as Probe };
  let measured = false;
  const note = (what: string) => (): void => void made.events.push({ at: clock.now(), what });
  made.probe = new Probe({
    clock,
    random: () => options.random ?? 1,
    settings: () => ({ intervalMs: 5000, timeoutMs: 3000 }),
    ping: (signal) => {
      made.asked.push(clock.now());
      return made.answer(signal);
    },
    smoothedRttMs: () => options.rttMs ?? (measured ? 10 : undefined),
    onAnswer: () => {
      measured = true;
      note('answer')();
    },
    onSuspect: note('suspect'),
    onMissed: note('missed'),
    onDead: note('dead'),
  });
  made.probe.start();
  return made;
}

async function advance(made: Rig, ms: number): Promise<void> {
  await settle();
  for (let i = 0; i < ms; i += 50) {
    made.clock.advance(50);
    await settle();
  }
}

const silent = (): Promise<number> => new Promise(() => {});

test('a relay that answers is pinged at once and then every interval', async () => {
  const made = rig();
  await advance(made, 15_000);
  assert.deepEqual(made.asked, [0, 5000, 10_000, 15_000]);
  assert.ok(made.events.every(({ what }) => what === 'answer'));
  made.probe.stop();
  assert.equal(made.clock.pending, 0);
});

test('clients spread their pings, the second over the whole interval, never beyond it', async () => {
  const made = rig({ random: 0 });
  await advance(made, 5000);
  assert.deepEqual(made.asked, [0, 500, 5000]);
  made.probe.stop();
});

test('clients that all waited for one answer do not ask together from then on', async () => {
  const made = rig({ random: 0 });
  await advance(made, 600);
  const { promise: thawed, resolve: thaw } = Promise.withResolvers<number>();
  made.answer = () => thawed;
  await advance(made, 4400 + 1000);
  thaw(1000);
  await settle();
  const asked = made.asked.length;
  await advance(made, 600);
  assert.equal(made.asked.length, asked + 1, 'a tenth of the interval later');
  made.probe.stop();
});

test('a frozen relay is suspect within 5.75 s, missed after one timeout, dead after three', async () => {
  const made = rig();
  await settle();
  made.answer = silent;
  await advance(made, 20_000);
  assert.deepEqual(made.events, [
    { at: 0, what: 'answer' },
    { at: 5750, what: 'suspect' },
    { at: 8000, what: 'missed' },
    { at: 11_000, what: 'missed' },
    { at: 14_000, what: 'dead' },
  ]);
  assert.deepEqual(made.asked, [0, 5000, 8000, 11_000], 'each probe is a ping of its own');
  assert.equal(made.clock.pending, 0);
});

test('a relay that was never measured is not late before the timeout', async () => {
  const slow = rig({ first: silent });
  await advance(slow, 3000);
  assert.deepEqual(slow.events.map(({ at, what }) => `${what} ${at}`), ['suspect 3000', 'missed 3000']);
  slow.probe.stop();
});

test('a relay whose event loop stalls for 5 s is not given up', async () => {
  const made = rig();
  await settle();
  const { promise: thawed, resolve: thaw } = Promise.withResolvers<number>();
  made.answer = () => thawed;
  await advance(made, 10_000);
  thaw(4000);
  await advance(made, 1000);
  assert.deepEqual(made.events.map(({ what }) => what), ['answer', 'suspect', 'missed', 'answer']);
  made.probe.stop();
});

test('a far relay is not suspect for being far', async () => {
  const made = rig({ rttMs: 400 });
  await settle();
  made.answer = silent;
  await advance(made, 7000);
  assert.deepEqual(made.events.at(-1), { at: 6600, what: 'suspect' });
  made.probe.stop();
});

test('a ping that fails at once is tried again, and counts as missed only after the timeout', async () => {
  const made = rig();
  await settle();
  made.answer = () => Promise.reject(new Error('no stream'));
  await advance(made, 5550);
  made.answer = async () => 10;
  await advance(made, 500);
  assert.deepEqual(made.events.map(({ what }) => what), ['answer', 'answer']);
  made.probe.stop();
});

test('a process that stood still blames no relay: the verdict waits for its own answers to be read', async () => {
  class StallingClock extends ManualClock {
    lag = 0;
    override now(): number {
      return super.now() + this.lag;
    }
  }
  const clock = new StallingClock();
  const made = rig({ clock });
  await settle();
  const { promise, resolve } = Promise.withResolvers<number>();
  made.answer = () => promise;
  await advance(made, 5500);
  clock.lag = 5000;
  await advance(made, 250);
  assert.deepEqual(made.events.map(({ what }) => what), ['answer'], 'the late timer fired 5 s too late');
  resolve(5000);
  await settle();
  assert.deepEqual(made.events.map(({ what }) => what), ['answer', 'answer']);
  made.probe.stop();
});

test('stop ends the ping under way', async () => {
  const made = rig();
  await settle();
  let ended = false;
  made.answer = (signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => ((ended = true), reject(signal.reason))));
  await advance(made, 5100);
  made.probe.stop();
  await settle();
  assert.ok(ended);
  assert.equal(made.clock.pending, 0);
});
