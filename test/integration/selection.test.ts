import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DistantRelays } from '../support/distant-relays.ts';
import { seededRandom } from '../support/random.ts';
import { testClient, until } from '../unit/client/support.ts';
import type { TestClient } from '../unit/client/support.ts';

/** Of the nearest relay: it is half full when the others begin to take their part. */
const NEAR_MAX = 12;

function heldBy(client: TestClient): string {
  return client.supervisor.candidates().find(({ state }) => state === 'reserved')?.peer ?? '';
}

test('clients choose the near relays mostly, not all the same one, and the others when it is full', { timeout: 120_000 }, async () => {
  const limits = { reservations: { max: NEAR_MAX } };
  await using relays = await DistantRelays.start([{ roundTripMs: 5, relay: { limits } }, { roundTripMs: 40, relay: {} }, { roundTripMs: 120, relay: {} }]);
  await using clients = new AsyncDisposableStack();
  const started: TestClient[] = [];
  const add = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const client = clients.use(await testClient({ relays: relays.all.map(({ addr }) => addr), desired: 1, random: seededRandom(started.length + 1) }));
      await until(() => client.supervisor.held === 1, 'a client holds a reservation', 20_000);
      started.push(client);
    }
  };
  await add(16);
  const [near = 0, middle = 0, far = 0] = relays.distribution(started.map(heldBy));
  assert.ok(near > middle && near >= 6, `the nearest has most: ${near}, ${middle}, ${far}`);
  assert.ok(middle > 0 && middle >= far, `not all are on one: ${near}, ${middle}, ${far}`);

  while (relays.distribution(started.map(heldBy))[0]! < NEAR_MAX && started.length < 40) await add(1);
  const before = relays.distribution(started.map(heldBy));
  await add(6);
  const after = relays.distribution(started.map(heldBy));
  assert.ok(after[0]! <= NEAR_MAX, 'the nearest takes no more than it has');
  assert.equal(after.reduce((sum, count) => sum + count), before.reduce((sum, count) => sum + count) + 6, 'each has found one');
  assert.ok(after[1]! > before[1]!, `the next takes the rest: ${before.join(', ')} then ${after.join(', ')}`);
});
