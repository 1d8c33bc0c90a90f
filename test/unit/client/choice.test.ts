import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseOne, reasonable } from '../../../src/client/choice.ts';
import { costOf } from '../../../src/client/score.ts';
import { seededRandom } from '../../support/random.ts';
import { candidate, state } from './candidate-support.ts';

test('cost: the round trip and the lateness, times the crowding, over the availability', async () => {
  assert.equal(costOf(await candidate({ rttMs: 75 }), 0), 100);
  assert.equal(costOf(await candidate({ rttMs: 75, says: { load: { eventLoopDelayMs: 50 } } }), 0), 150);
  assert.equal(costOf(await candidate({ rttMs: 75, failed: 2 }), 0), 200, 'two of the four that it began with');
  assert.equal(costOf(await candidate({ rttMs: 75, says: { load: { reservations: 0.5 } } }), 0), 100, 'half full is as good as empty');
  assert.equal(costOf(await candidate({ rttMs: 75, says: { load: { circuits: 0.75 } } }), 0), 250);
  assert.equal(costOf(await candidate({ rttMs: 75, says: { load: { bandwidth: 1 } } }), 0), 400);
});

test('a statement that has expired says nothing of the load', async () => {
  const relay = await candidate({ rttMs: 75, says: { load: { bandwidth: 1 } } });
  relay.statement = { content: relay.statement!.content, until: 10 };
  assert.equal(costOf(relay, 9), 400);
  assert.equal(costOf(relay, 10), 100);
});

test('availability counts against nearness', async () => {
  const [flaky, steady] = [await candidate({ rttMs: 20, failed: 6 }), await candidate({ rttMs: 50 })];
  assert.deepEqual(reasonable([flaky, steady], [], state(1)), [steady, flaky]);
});

test('clients spread over relays of like distance, mostly over the near ones, and not over those that are far', async () => {
  const pool = [await candidate({ rttMs: 5 }), await candidate({ rttMs: 40 }), await candidate({ rttMs: 120 })];
  const next = seededRandom(3);
  const counts = [0, 0, 0];
  for (let client = 0; client < 1000; client++) {
    const chosen = chooseOne(pool, [], state(1, { random: next }));
    counts[pool.indexOf(chosen!)]! += 1;
  }
  assert.ok(counts[0]! > 800 && counts[0]! < 950, `the nearest: ${counts.join(', ')}`);
  assert.ok(counts[1]! > 50, `the next: ${counts.join(', ')}`);
  assert.equal(counts[2], 0, 'four times the cost of the best is too much');
});

test('alike relays get like shares, and a busy one fewer', async () => {
  const next = seededRandom(5);
  const share = async (load: number): Promise<number> => {
    const pool = [await candidate({ rttMs: 20, says: { load: { reservations: load } } }), await candidate({ rttMs: 21 })];
    let first = 0;
    for (let client = 0; client < 1000; client++) first += Number(chooseOne(pool, [], state(1, { random: next })) === pool[0]);
    return first;
  };
  const [alike, busy] = [await share(0), await share(0.9)];
  assert.ok(alike > 400 && alike < 600, `alike: ${alike}`);
  assert.ok(busy < 150, `busy: ${busy}`);
});

test('beside a relay that is held, one of another network is taken, and of another region', async () => {
  const held = await candidate({ addr: '/ip4/203.0.113.1/tcp/1', held: {}, says: { region: 'eu' } });
  const beside = await candidate({ addr: '/ip4/203.0.113.2/tcp/1', rttMs: 10, says: { region: 'us' } });
  const near = await candidate({ rttMs: 12, says: { region: 'eu' } });
  const abroad = await candidate({ rttMs: 60, says: { region: 'us' } });
  assert.deepEqual(reasonable([beside, near, abroad], [held], state(2)), [abroad]);
  assert.deepEqual(reasonable([beside, near], [held], state(2)), [near]);
  const distant = await candidate({ rttMs: 600, says: { region: 'us' } });
  assert.deepEqual(reasonable([near, distant], [held], state(2)), [near], 'not for a much slower one');
});

test('a preferred region comes first unless it is much slower', async () => {
  const [home, near] = [await candidate({ rttMs: 90, says: { region: 'home' } }), await candidate({ rttMs: 10 })];
  assert.deepEqual(reasonable([home, near], [], state(1, { prefer: ['home'] })), [home]);
  home.rttMs = 200;
  assert.deepEqual(reasonable([home, near], [], state(1, { prefer: ['home'] })), [near]);
});

test('an avoided region is chosen only when there is nothing else, and a full relay after that', async () => {
  const avoided = await candidate({ rttMs: 1, says: { region: 'mars' } });
  const full = await candidate({ rttMs: 1, says: { load: { reservations: 1 } } });
  const far = await candidate({ source: 'cache', rttMs: 900 });
  const now = state(1, { avoid: ['mars'] });
  assert.deepEqual(reasonable([avoided, full, far], [], now), [far]);
  assert.deepEqual(reasonable([avoided, full], [], now), [avoided]);
  assert.deepEqual(reasonable([full], [], now), [full]);
});
