import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Usage as Told } from '../../../src/coordination/backend.ts';
import { quotaWindow } from '../../../src/coordination/quota-window.ts';
import { Usage } from '../../../src/coordination/usage.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import type { QuotaClaim } from '../../../src/lib/cluster/relay-cluster.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { settled } from '../../support/waiting.ts';

const NOON = Date.UTC(2026, 10, 21, 12);
const HALF_DAY_MS = 12 * 3_600_000;
const claim = (bytes = 12_800, key = 'quota/peer/a'): QuotaClaim => ({ limit: 'quotas.peer', key, quota: { bytes, per: 'd' } });
const nobody = new AbortController().signal;

describe('the use of quotas over a cluster', () => {
  let clock: ManualClock;
  let told: Told[][];
  /** What other relays have counted, by key and window. */
  let others: Map<string, number>;
  let isAway: boolean;
  let usedUp: string[];
  let usage: Usage;

  beforeEach(() => {
    clock = new ManualClock(NOON);
    told = [];
    others = new Map();
    isAway = false;
    usedUp = [];
    usage = new Usage({
      registry: {
        problem: undefined,
        report: async (some) => {
          if (isAway) throw new RelaydError('STORE_UNAVAILABLE', 'away');
          told.push([...some]);
          return some.map(({ key, window, bytes }) => bytes + (others.get(`${key} ${window}`) ?? 0));
        },
      },
      clock,
      log: silentLogger,
    });
    usage.onUsedUp((key) => usedUp.push(key));
    usage.start();
  });

  afterEach(() => usage.stop());

  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settled(3);
  };

  it('is told once a second, all in all and only where it grew', async () => {
    usage.moved([claim(), claim(12_800, 'quota/peer/b')], 110);
    usage.moved([claim()], 5);
    await pass(1_000);
    usage.moved([claim()], 5);
    await pass(1_000);
    await pass(1_000);
    assert.deepEqual(told, [
      [{ key: 'quota/peer/a', window: '2026-11-21', bytes: 115 }, { key: 'quota/peer/b', window: '2026-11-21', bytes: 110 }],
      [{ key: 'quota/peer/a', window: '2026-11-21', bytes: 120 }],
    ]);
  });

  it('is not told of a key that has used less than a part of 128 here, not even at the end', async () => {
    for (let i = 0; i < 1_000; i++) usage.moved([claim(12_800, `quota/peer/${i}`)], 99);
    await pass(1_000);
    await usage.tellAgain();
    await pass(HALF_DAY_MS);
    await usage.stop();
    assert.deepEqual(told, []);
  });

  it('tells nothing new for whoever waits to be admitted: the total is asked for with what was told', async () => {
    usage.moved([claim()], 200);
    await pass(15);
    isAway = true;
    usage.moved([claim()], 30);
    await pass(1_000);
    isAway = false;
    others.set('quota/peer/a 2026-11-21', 12_569);
    await usage.look([claim(), claim(12_800, 'quota/peer/b')], nobody);
    assert.deepEqual(told.at(-1)?.map(({ bytes }) => bytes), [200, 0]);
    assert.equal(usage.refusal([claim()]), undefined);
    usage.moved([claim()], 1);
    assert.equal(usage.refusal([claim()])?.current, 12_800, 'what was not told counts on top of the total');
  });

  it('is told at once when a part of 128 of the quota has been used since', async () => {
    usage.moved([claim()], 99);
    await pass(15);
    assert.equal(told.length, 0);
    usage.moved([claim()], 1);
    await pass(15);
    assert.deepEqual(told.map(([first]) => first?.bytes), [100]);
  });

  it('is over when this relay and the others have used it up: who uses it hears it once, and who comes is told when it begins anew', async () => {
    others.set('quota/peer/a 2026-11-21', 12_000);
    usage.moved([claim()], 700);
    await pass(15);
    assert.deepEqual([usedUp, usage.refusal([claim()])], [[], undefined]);
    usage.moved([claim()], 100);
    usage.moved([claim()], 100);
    assert.deepEqual(usedUp, ['quota/peer/a'], 'with what was counted here since, before the cluster is asked');
    await pass(1_000);
    assert.deepEqual(usedUp, ['quota/peer/a']);
    const refusal = usage.refusal([claim(1, 'quota/peer/b'), claim()]);
    assert.deepEqual(refusal, { limit: 'quotas.peer', current: 12_900, maximum: 12_800, retryAfterMs: Date.UTC(2026, 10, 22) - clock.wall() });
  });

  it('is asked for before somebody is admitted of whom nothing is known here, or nothing new', async () => {
    others.set('quota/peer/a 2026-11-21', 20_000);
    await usage.look([claim()], nobody);
    assert.equal(usage.refusal([claim()])?.current, 20_000);
    await usage.look([claim()], nobody);
    assert.equal(told.length, 1, 'known for a second');
    clock.advance(1_000);
    await usage.look([claim()], nobody);
    assert.equal(told.at(-1)?.[0]?.bytes, 0);
    assert.equal(told.length, 2);
  });

  it('goes on being counted while the store is away, and is judged by the last word and what was used here since', async () => {
    others.set('quota/peer/a 2026-11-21', 12_000);
    usage.moved([claim()], 100);
    await pass(15);
    isAway = true;
    usage.moved([claim()], 650);
    await pass(1_000);
    assert.equal(usage.refusal([claim()]), undefined);
    usage.moved([claim()], 50);
    assert.equal(usage.refusal([claim()])?.current, 12_800);
    isAway = false;
    await pass(1_000);
    assert.deepEqual(told.at(-1), [{ key: 'quota/peer/a', window: '2026-11-21', bytes: 800 }]);
  });

  it('is told again when the store may have lost it', async () => {
    usage.moved([claim()], 300);
    await pass(1_000);
    await usage.tellAgain();
    await pass(1_000);
    assert.deepEqual(told.map(([first]) => first?.bytes), [300, 300]);
  });

  it('keeps nobody waiting whose question is not answered, nor the next for a second', async () => {
    isAway = true;
    await usage.look([claim()], nobody);
    isAway = false;
    await usage.look([claim()], nobody);
    assert.equal(told.length, 0);
    clock.advance(1_000);
    await usage.look([claim()], nobody);
    assert.equal(told.length, 1);
  });

  it('goes by the newest answer, whichever comes last', async () => {
    const answers: (() => void)[] = [];
    const slow = new Usage({ registry: { problem: undefined, report: (some) => new Promise((resolve) => answers.push(() => resolve(some.map(({ bytes }) => bytes)))) }, clock, log: silentLogger });
    slow.moved([claim()], 110);
    const looked = slow.look([claim()], nobody);
    slow.moved([claim()], 20);
    const toldAll = slow.tell();
    await settled(1);
    answers[1]?.();
    await toldAll;
    answers[0]?.();
    await looked;
    assert.deepEqual(slow.meters().map(({ told: last, total }) => [last, total]), [[130, 130]]);
  });

  it('begins anew with the day, and what was used of the last one is told all the same', async () => {
    isAway = true;
    usage.moved([claim()], 12_800);
    assert.ok(usage.refusal([claim()]));
    await pass(HALF_DAY_MS);
    assert.equal(usage.refusal([claim()]), undefined);
    usage.moved([claim()], 107);
    isAway = false;
    await pass(1_000);
    assert.deepEqual(told.at(-1), [
      { key: 'quota/peer/a', window: '2026-11-21', bytes: 12_800 },
      { key: 'quota/peer/a', window: '2026-11-22', bytes: 107 },
    ]);
  });

  it('goes by a quota that was changed meanwhile', async () => {
    usage.moved([claim()], 1_000);
    assert.equal(usage.refusal([claim(1_000)])?.maximum, 1_000);
    assert.equal(usage.refusal([claim(1_001)]), undefined);
  });

  it('is told before the relay stops', async () => {
    usage.moved([claim()], 103);
    await usage.stop();
    assert.deepEqual(told.map(([first]) => first?.bytes), [103]);
    assert.equal(clock.pending, 0);
  });

  it('costs bounded memory, whoever comes: of very many that have used little the least used is forgotten', () => {
    usage.moved([claim(100, 'much')], 50);
    usage.moved([claim(12_800, 'little')], 90);
    for (let i = 0; i < 70_000; i++) usage.moved([claim(12_800, `quota/peer/${i}`)], 1);
    assert.equal(usage.meters().length, 65_537);
    assert.deepEqual(usage.meters().slice(0, 2).map(({ key }) => key), ['much', 'little']);
  });

  it('keeps every count, however many keys a stranger asks for', async () => {
    usage.moved([claim(12_800, 'told')], 12_800);
    await pass(15);
    usage.moved([claim(12_800, 'little')], 1);
    for (let i = 0; i < 140; i++) await usage.look(Array.from({ length: 500 }, (_, j) => claim(12_800, `made up ${i} ${j}`)), nobody);
    assert.ok(usage.meters().length < 10_000);
    assert.equal(usage.refusal([claim(12_800, 'told')])?.current, 12_800);
    assert.equal(usage.meters().find(({ key }) => key === 'little')?.own, 1);
  });

  it('goes on from what was counted of a key for which there was no room any more', async () => {
    usage.moved([claim(1_280, 'first')], 1_000);
    await usage.tell();
    for (let i = 0; i < 65_536; i++) usage.moved([claim(1_280, `quota/peer/${i}`)], 1_100);
    assert.equal(usage.meters().some(({ key }) => key === 'first'), false);
    await usage.look([claim(1_280, 'first')], nobody);
    assert.deepEqual(told.at(-1)?.map(({ key, bytes }) => [key, bytes]), [['first', 1_000]]);
    usage.moved([claim(1_280, 'first')], 279);
    assert.equal(usage.refusal([claim(1_280, 'first')]), undefined);
    usage.moved([claim(1_280, 'first')], 1);
    assert.equal(usage.refusal([claim(1_280, 'first')])?.current, 1_280);
  });
});

describe('the window of a quota', () => {
  it('is a day or a month of UTC, whatever the length of the month', () => {
    assert.deepEqual(quotaWindow('d', NOON), { name: '2026-11-21', beginsAt: Date.UTC(2026, 10, 21), endsAt: Date.UTC(2026, 10, 22) });
    assert.deepEqual(quotaWindow('month', Date.UTC(2026, 11, 31, 23)), { name: '2026-12', beginsAt: Date.UTC(2026, 11), endsAt: Date.UTC(2027, 0) });
    assert.deepEqual(quotaWindow('month', Date.UTC(2028, 1, 1)).endsAt - Date.UTC(2028, 1, 1), 29 * 86_400_000);
  });
});
