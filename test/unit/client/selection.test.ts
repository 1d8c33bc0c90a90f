import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEDGE_MS, chooseAttempts, chooseMove, chooseReleases, chooseStandby } from '../../../src/client/selection.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { seededRandom } from '../../support/random.ts';
import { candidate, state } from './candidate-support.ts';

test('the nearest relays are drawn first, as many as are missing', async () => {
  const [far, near, nearer] = [await candidate({ rttMs: 80 }), await candidate({ rttMs: 20 }), await candidate({ rttMs: 10 })];
  assert.deepEqual(chooseAttempts([far, near, nearer], state(2)), [nearer, near]);
});

test('manual relays come before others, however far', async () => {
  const [other, manual] = [await candidate({ source: 'bootstrap', rttMs: 1 }), await candidate({ rttMs: 300 })];
  assert.deepEqual(chooseAttempts([other, manual], state(1)), [manual]);
});

test('a manual relay is tried though others are held, and takes the place of one', async () => {
  const other = await candidate({ source: 'bootstrap', rttMs: 1, held: {} });
  const manual = await candidate({ rttMs: 300 });
  assert.deepEqual(chooseAttempts([other, manual], state(1)), [manual]);
  const taken = await candidate({ rttMs: 300, held: {} });
  assert.deepEqual(chooseReleases([other, taken], state(1)), [other]);
});

test('a manual relay that is full, or in an avoided region, takes nobody\'s place', async () => {
  const other = await candidate({ source: 'dht', held: {} });
  const full = await candidate({ says: { load: { reservations: 1 } } });
  const avoided = await candidate({ says: { region: 'mars' } });
  assert.deepEqual(chooseAttempts([other, full, avoided], state(1, { avoid: ['mars'] })), []);
});

test('a relay that backs off, is being tried, is held, drains, or is not listed any more is not tried', async () => {
  const draining = await candidate();
  draining.draining = { since: 0, target: 0, ready: undefined };
  const all = [await candidate({ retryAt: 10 }), await candidate({ attemptAt: 0 }), await candidate({ held: {} }), await candidate({ listed: false }), draining];
  assert.deepEqual(chooseAttempts(all, state(4)), []);
  assert.deepEqual(chooseAttempts(all.slice(0, 1), state(4, { nowMs: 10 })), all.slice(0, 1));
});

test('an attempt that takes long is hedged with another', async () => {
  const [slow, next] = [await candidate({ attemptAt: 0 }), await candidate()];
  assert.deepEqual(chooseAttempts([slow, next], state(1, { nowMs: HEDGE_MS - 1 })), []);
  assert.deepEqual(chooseAttempts([slow, next], state(1, { nowMs: HEDGE_MS })), [next]);
});

test('a relay that is late to answer, does not renew, or drains is replaced, and not let go for that', async () => {
  for (const trouble of [{ suspect: true }, { refused: true }]) {
    const [held, next] = [await candidate({ held: trouble }), await candidate()];
    assert.deepEqual(chooseAttempts([held, next], state(1)), [next]);
    assert.deepEqual(chooseReleases([held], state(1)), []);
  }
  const [leaving, next] = [await candidate({ held: {} }), await candidate()];
  leaving.draining = { since: 0, target: 1, ready: undefined };
  assert.deepEqual(chooseAttempts([leaving, next], state(1)), [next]);
});

test('the one in reserve is taken first, though another is as good', async () => {
  const [other, reserve] = [await candidate({ rttMs: 10 }), await candidate({ rttMs: 12, standby: true })];
  assert.deepEqual(chooseAttempts([other, reserve], state(1)), [reserve]);
});

test('the one in reserve is passed over when it would fall together with what is held', async () => {
  const held = await candidate({ addr: '/ip4/203.0.113.1/tcp/1', held: {} });
  const reserve = await candidate({ addr: '/ip4/203.0.113.2/tcp/1', rttMs: 10, standby: true });
  const elsewhere = await candidate({ rttMs: 20 });
  assert.deepEqual(chooseAttempts([held, reserve, elsewhere], state(2)), [elsewhere]);
});

test('fewer relays than desired: all are used', async () => {
  const only = await candidate();
  assert.deepEqual(chooseAttempts([only], state(5)), [only]);
  assert.deepEqual(chooseAttempts([only], state(0)), []);
});

test('a relay that is no longer listed is kept until the others are held', async () => {
  const old = await candidate({ listed: false, held: {} });
  const fresh = await candidate();
  assert.deepEqual(chooseReleases([old, fresh], state(1)), []);
  const taken = await candidate({ held: {} });
  assert.deepEqual(chooseReleases([old, taken], state(2)), [old], 'one listed, and it is held: there is no more to wait for');
  assert.deepEqual(chooseReleases([old], state(2)), [old], 'none listed');
});

test('what is held beyond need is let go, the worst first, and not before things are calm', async () => {
  const [far, near] = [await candidate({ rttMs: 90, held: {} }), await candidate({ rttMs: 10, held: {} })];
  assert.deepEqual(chooseReleases([far, near], state(1, { calmAt: 10 })), []);
  assert.deepEqual(chooseReleases([far, near], state(1, { nowMs: 10, calmAt: 10 })), [far]);
});

test('nothing is kept when nothing is needed, whatever its state', async () => {
  const all = [await candidate({ held: {} }), await candidate({ held: { suspect: true } }), await candidate({ held: {}, listed: false })];
  assert.deepEqual(new Set(chooseReleases(all, state(0, { calmAt: 10 }))), new Set(all));
});

test('of three that are held, the one in the network of another is let go, though it is nearer', async () => {
  const one = await candidate({ addr: '/ip4/203.0.113.1/tcp/1', rttMs: 5, held: {} });
  const beside = await candidate({ addr: '/ip4/203.0.113.2/tcp/1', rttMs: 10, held: {} });
  const elsewhere = await candidate({ rttMs: 40, held: {} });
  assert.deepEqual(chooseReleases([one, beside, elsewhere], state(2)), [beside]);
});

test('a move is made to a relay that is clearly better, and to no other', async () => {
  const held = await candidate({ rttMs: 100, held: {} });
  const slightly = await candidate({ rttMs: 60 });
  const clearly = await candidate({ rttMs: 20 });
  assert.equal(chooseMove([held, slightly], state(1)), undefined);
  assert.equal(chooseMove([held, slightly, clearly], state(1)), clearly);
  const [near, nearer] = [await candidate({ rttMs: 20, held: {} }), await candidate({ rttMs: 1 })];
  assert.equal(chooseMove([near, nearer], state(1)), undefined, 'half the time, and nobody would notice');
});

test('a move is made away from an avoided region, from a crowded relay, and into another network', async () => {
  const better = await candidate({ rttMs: 40 });
  const avoided = await candidate({ rttMs: 10, held: {}, says: { region: 'mars' } });
  assert.equal(chooseMove([avoided, better], state(1, { avoid: ['mars'] })), better);
  const crowded = await candidate({ rttMs: 30, held: {}, says: { load: { circuits: 1 } } });
  assert.equal(chooseMove([crowded, better], state(1)), better);
  const one = await candidate({ addr: '/ip4/203.0.113.1/tcp/1', rttMs: 5, held: {} });
  const beside = await candidate({ addr: '/ip4/203.0.113.2/tcp/1', rttMs: 20, held: {} });
  assert.equal(chooseMove([one, beside, better], state(2)), better);
});

test('a relay is not left because it filled up with reservations: ours is among them', async () => {
  const full = await candidate({ rttMs: 10, held: {}, says: { load: { reservations: 1 } } });
  assert.equal(chooseMove([full, await candidate({ rttMs: 40 })], state(1)), undefined);
});

test('no move while anything is unsettled', async () => {
  const clearly = await candidate({ rttMs: 20 });
  const held = await candidate({ rttMs: 100, held: {} });
  assert.equal(chooseMove([held, clearly], state(2)), undefined, 'one is missing');
  assert.equal(chooseMove([held, clearly, await candidate({ attemptAt: 0 })], state(1)), undefined, 'one is being tried');
  assert.equal(chooseMove([await candidate({ rttMs: 100, held: { suspect: true } }), clearly], state(1)), undefined, 'one does not answer');
});

test('there is one reserve, kept while none is clearly better', async () => {
  const held = await candidate({ held: {} });
  const [reserve, near] = [await candidate({ rttMs: 40, standby: true }), await candidate({ rttMs: 20 })];
  assert.equal(chooseStandby([held, reserve, near], state(1)), reserve);
  const nearest = await candidate({ rttMs: 1 });
  reserve.rttMs = 300;
  assert.equal(chooseStandby([held, reserve, nearest], state(1)), nearest);
  assert.equal(chooseStandby([held], state(1)), undefined);
});

test('two relays whose figures wander do not make a client move back and forth', async () => {
  const clock = new ManualClock();
  const next = seededRandom(7);
  const pair = [await candidate({ rttMs: 40, held: {} }), await candidate({ rttMs: 40 })];
  let moves = 0;
  for (let round = 0; round < 500; round++) {
    clock.advance(10 * 60_000);
    for (const one of pair) one.measured(30 + 40 * next(), clock.now());
    const better = chooseMove(pair, state(1, { nowMs: clock.now(), random: next }));
    if (better === undefined) continue;
    moves += 1;
    const left = pair.find((one) => one !== better);
    assert.ok(left?.held !== undefined);
    [better.held, left.held] = [left.held, undefined];
  }
  assert.equal(moves, 0, 'times between 30 and 70 ms are as good as each other');
});

test('what was chosen for being clearly better is not left for what it was chosen over', async () => {
  const next = seededRandom(11);
  for (let round = 0; round < 300; round++) {
    const regions = ['a', 'b'];
    const make = (): ReturnType<typeof candidate> => candidate({ source: next() < 0.5 ? 'manual' : 'dht', rttMs: 400 * next(), says: { region: regions[Math.floor(2 * next())], load: { circuits: next() } } });
    const [one, other] = [await make(), await make()];
    one.held = { suspect: false, refused: false } as NonNullable<typeof one.held>;
    const now = state(1, { prefer: next() < 0.5 ? ['a'] : [], avoid: next() < 0.3 ? ['b'] : [] });
    if (chooseMove([one, other], now) !== other) continue;
    const both = [one, other];
    other.held = one.held;
    assert.deepEqual(chooseReleases(both, now), [one], 'the old one is let go, not the new one');
    one.held = undefined;
    assert.equal(chooseMove(both, now), undefined);
  }
});
