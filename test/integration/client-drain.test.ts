import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayUnderTest } from '../support/relay-under-test.ts';
import { testClient, until } from '../unit/client/support.ts';
import type { TestClient } from '../unit/client/support.ts';

const DEADLINE = { timeout: 120_000 };

/** Where a relay was late to answer a client holds one more than it wants, until ten seconds after the last such answer. */
const CALM_AGAIN_MS = 40_000;

async function drainable(stack: AsyncDisposableStack): Promise<RelayUnderTest> {
  const relay = await RelayUnderTest.start({ drain: { timeout: '40s' } });
  stack.defer(() => relay.stop());
  return relay;
}

/** It holds so many, and each of them has said what it is: who has not asked that yet is not told of a drain. */
function isServed(client: TestClient, held: number): boolean {
  const reserved = client.supervisor.candidates().filter(({ state }) => state === 'reserved');
  return reserved.length === held && reserved.every(({ load }) => load !== null);
}

/** Dials through the relays again and again, until `work` is over. @returns what failed */
async function dialsDuring(from: TestClient, to: TestClient, work: Promise<void>): Promise<{ dials: number; failures: string[] }> {
  const done = { dials: 0, failures: [] as string[] };
  const over = new AbortController();
  const ended = work.finally(() => over.abort());
  while (!over.signal.aborted) {
    done.dials += 1;
    await from.dialler.dial(to.id, { fresh: true, signal: AbortSignal.timeout(5_000) }).catch((error: Error) => done.failures.push(error.message));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await ended;
  return done;
}

test('a relay drains and stops: the client never holds fewer, and no dial fails', DEADLINE, async () => {
  await using stack = new AsyncDisposableStack();
  const relays = await Promise.all([drainable(stack), drainable(stack), drainable(stack)]);
  const addrs = relays.map(({ addr }) => addr);
  const client = stack.use(await testClient({ relays: addrs, desired: 2 }));
  const other = stack.use(await testClient({ relays: addrs, desired: 1 }));
  const inReserve = (): boolean => client.supervisor.candidates().some(({ state }) => state === 'standby');
  await until(() => isServed(client, 2) && isServed(other, 1) && inReserve(), 'both hold what they want, and there is one to go to', CALM_AGAIN_MS);
  let least = client.supervisor.circuitAddrs().length;
  client.supervisor.on('addresses:changed', (event) => (least = Math.min(least, event.addrs.length)));

  const leaving = relays.find(({ node }) => client.supervisor.candidates().some(({ peer, state }) => peer === node.peerId && state === 'reserved'));
  assert.ok(leaving !== undefined);
  const leave = async (): Promise<void> => {
    await leaving.node.drain();
    await leaving.node.stop();
  };
  const id = leaving.node.peerId;
  const { dials, failures } = await dialsDuring(other, client, leave());
  assert.deepEqual(failures, []);
  assert.ok(dials > 0);
  assert.equal(least, 2);
  assert.ok(client.supervisor.circuitAddrs().every((addr) => !addr.includes(id)));
});

test('the only relay drains: it need not wait for a client that has nowhere to go', DEADLINE, async () => {
  await using stack = new AsyncDisposableStack();
  const only = await drainable(stack);
  const client = stack.use(await testClient({ relays: [only.addr], desired: 1 }));
  await until(() => isServed(client, 1), 'it is held, and has said what it is');
  const start = performance.now();
  await only.node.drain();
  assert.ok(performance.now() - start < 20_000, 'long before the drain\'s own deadline');
  assert.equal(client.supervisor.held, 1, 'until it closes');
  await only.node.stop();
  await until(() => client.supervisor.held === 0, 'it has closed');
});
