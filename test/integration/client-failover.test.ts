import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { RelayUnderTest } from '../support/relay-under-test.ts';
import { talkingRelay } from '../support/talking-relay.ts';
import type { TalkingRelay } from '../support/talking-relay.ts';
import { addrOf, freezableProxy, metric, plainNode, stockRelay, testClient, until } from '../unit/client/support.ts';
import type { TestClient } from '../unit/client/support.ts';

const DEADLINE = { timeout: 60_000 };

/** What is too much is let go 10 s after the last answer that was late, and a busy machine has some. */
const CALM_AGAIN_MS = 40_000;

function rowOf(client: TestClient, relay: TalkingRelay | Libp2p): ReturnType<TestClient['supervisor']['candidates']>[number] | undefined {
  const id = 'id' in relay ? relay.id : relay.peerId.toString();
  return client.supervisor.candidates().find(({ peer }) => peer === id);
}

/** The least that was held, and announced, at any moment from now on. */
function watchHeld(client: TestClient): { least: () => number } {
  let least = client.supervisor.circuitAddrs().length;
  client.supervisor.on('addresses:changed', ({ addrs }) => (least = Math.min(least, addrs.length)));
  return { least: () => least };
}

test('what a relay says of itself is asked for and shown', DEADLINE, async () => {
  await using relay = await talkingRelay({ region: 'eu-west', load: { reservations: 0.25, circuits: 0.5, bandwidth: undefined, eventLoopDelayMs: 0 } });
  await using client = await testClient({ relays: [relay.addr], desired: 1 });
  await until(() => rowOf(client, relay)?.region === 'eu-west', 'it is known');
  assert.equal(rowOf(client, relay)?.load, 0.5);
  assert.equal(relay.asked, 1);
  await relay.push({ load: { reservations: 1, circuits: 1, bandwidth: undefined, eventLoopDelayMs: 0 } });
  await until(() => rowOf(client, relay)?.load === 1, 'the push is taken');
  assert.equal(await metric(client.registry, 'relayd_client_statements_total{outcome="accepted"}'), 2);
});

test('a standard relay is used without a statement, and asked for none', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using client = await testClient({ relays: [addrOf(relay)] });
  await until(() => client.supervisor.held === 1, 'it is held');
  await until(async () => (await metric(client.registry, 'relayd_client_statements_total{outcome="unsupported"}')) === 1, 'it has none');
  assert.deepEqual([rowOf(client, relay)?.region, rowOf(client, relay)?.load], [null, null]);
});

test('one relay is kept in reserve, connected; others are not', DEADLINE, async () => {
  await using one = await talkingRelay();
  await using two = await talkingRelay();
  await using three = await talkingRelay();
  const relays = [one, two, three];
  await using client = await testClient({ relays: relays.map(({ addr }) => addr), desired: 1 });
  const states = (): string => client.supervisor.candidates().map(({ state }) => state).sort().join();
  await until(() => states() === 'candidate,reserved,standby' && client.libp2p.getConnections().length === 2, 'one is in reserve, and the third is left');
  assert.equal(await metric(client.registry, 'relayd_client_standbys'), 1);
  assert.equal(await metric(client.registry, 'libp2p_autorelay_reservations_opened_total'), 1);

  const reserve = client.supervisor.candidates().find(({ state }) => state === 'standby')?.peer;
  const opened = once(client.supervisor, 'reservation:opened');
  await relays.find(({ id }) => rowOf(client, { id } as TalkingRelay)?.state === 'reserved')?.node.stop();
  assert.equal((await opened)[0].relay, reserve);
});

test('a relay of a region that is preferred from now on takes the place of another at once', DEADLINE, async () => {
  await using north = await talkingRelay({ region: 'north' });
  await using south = await talkingRelay({ region: 'south' });
  await using client = await testClient({ relays: [north.addr, south.addr], desired: 1 });
  await until(() => client.supervisor.candidates().some(({ state }) => state === 'standby') && client.supervisor.held === 1, 'one is held, one in reserve', CALM_AGAIN_MS);
  const taken = rowOf(client, north)?.state === 'reserved' ? south : north;
  client.supervisor.update({ prefer: [taken.says.region ?? ''] });
  await until(() => rowOf(client, taken)?.state === 'reserved', 'the other is held');
});

test('the last relay that works is lost: one in back-off is tried again at once', DEADLINE, async () => {
  await using only = await stockRelay();
  const privateKey = await generateKeyPair('Ed25519');
  const port = await freePort();
  const gone = await stockRelay({ privateKey, port });
  const addr = addrOf(gone);
  await gone.stop();
  // The longest waits: 250 ms, 500 ms and so on.
  await using client = await testClient({ relays: [addrOf(only), addr], desired: 1, random: () => 0.99 });
  await until(() => client.supervisor.held === 1 && (rowOf(client, gone)?.failures ?? 0) >= 6, 'one is held, and the other waits 8 s', 20_000);
  await using back = await stockRelay({ port, privateKey });
  await only.stop();
  await until(() => rowOf(client, back)?.state === 'reserved', 'it is held', 6_000);
});

test('a relay that grants a reservation and closes, again and again, is asked less and less often', DEADLINE, async () => {
  await using relay = await talkingRelay();
  await using client = await testClient({ relays: [relay.addr], desired: 1, random: () => 0.99 });
  const openedAt: number[] = [];
  client.supervisor.on('reservation:opened', () => {
    openedAt.push(performance.now());
    relay.clients().forEach((connection) => void connection.close());
  });
  await until(() => openedAt.length === 5, 'it has granted five');
  assert.ok((openedAt[4] ?? 0) - (openedAt[3] ?? 0) > 1_500, 'the fourth wait is of 2 s');
});

test('a relay that is let go and kept in reserve has its place back', DEADLINE, async () => {
  await using stack = new AsyncDisposableStack();
  const relays = await Promise.all([RelayUnderTest.start(), RelayUnderTest.start()]);
  relays.forEach((relay) => stack.defer(() => relay.stop()));
  const client = stack.use(await testClient({ relays: relays.map(({ addr }) => addr), desired: 2 }));
  await until(() => client.supervisor.held === 2, 'both are held');
  client.supervisor.update({ desired: 1 });
  await until(() => client.supervisor.candidates().map(({ state }) => state).sort().join() === 'reserved,standby', 'one is in reserve', CALM_AGAIN_MS);
  const places = async (): Promise<number> => (await Promise.all(relays.map((relay) => relay.counts()))).reduce((sum, { reservations }) => sum + reservations.count, 0);
  await until(async () => (await places()) === 1, 'one place is taken');
});

test('a relay that is late to answer is backed up at once, and what is too much is let go only when things are calm', DEADLINE, async () => {
  await using one = await talkingRelay();
  await using two = await talkingRelay();
  await using proxy = await freezableProxy(Number(/tcp\/(\d+)/.exec(one.addr)?.[1]));
  const slow = one.addr.replace(/tcp\/\d+/, `tcp/${proxy.port}`);
  await using client = await testClient({ relays: [slow], desired: 1, probe: { intervalMs: 1_000, timeoutMs: 20_000 } });
  await until(() => client.supervisor.held === 1 && client.supervisor.candidates()[0]?.rttMs !== null, 'it is held and measured');
  client.supervisor.update({ relays: [slow, two.addr] });
  await until(() => rowOf(client, two)?.state === 'standby', 'the other is in reserve');
  const lost: string[] = [];
  client.supervisor.on('reservation:lost', ({ relay }) => lost.push(relay));
  proxy.freeze();
  await until(() => rowOf(client, two)?.state === 'reserved', 'the other is held, long before a whole timeout');
  const calmFrom = performance.now();
  proxy.thaw();
  await until(() => client.supervisor.held === 2, 'both answer');
  assert.ok((rowOf(client, one)?.availability ?? 1) < 1, 'it counts against the one');
  assert.deepEqual(lost, [], 'neither is let go yet');
  await until(() => lost.length === 1, 'one is let go', CALM_AGAIN_MS);
  assert.ok(performance.now() - calmFrom > 9_000);
});

test('a relay that drains is replaced before it is let go, and told', DEADLINE, async () => {
  await using one = await talkingRelay();
  await using two = await talkingRelay();
  await using three = await talkingRelay();
  await using client = await testClient({ relays: [one.addr, two.addr], desired: 2 });
  await until(() => client.supervisor.held === 2, 'two are held');
  client.supervisor.update({ relays: [one.addr, two.addr, three.addr] });
  await until(() => rowOf(client, three)?.state === 'standby', 'the third is in reserve');
  const watched = watchHeld(client);
  await one.push({ draining: true, drainEndsInMs: 30_000 });
  assert.equal(rowOf(client, three)?.state, 'reserved', 'the relay is told when the other is held');
  assert.deepEqual([rowOf(client, one)?.draining, rowOf(client, one)?.reason], [true, 'draining']);
  assert.ok(client.supervisor.circuitAddrs().every((addr) => !addr.includes(one.id)));
  assert.equal(watched.least(), 2);
  assert.equal(client.libp2p.getConnections(one.node.peerId).length, 1, 'circuits through it may go on');
  assert.equal(await metric(client.registry, 'relayd_client_drains_total{outcome="moved"}'), 1);
});

test('a relay that drains has gone with its last connection, and not before', DEADLINE, async () => {
  await using one = await talkingRelay();
  await using two = await talkingRelay();
  await using client = await testClient({ relays: [one.addr], desired: 1, random: () => 0.99 });
  await until(() => client.supervisor.held === 1, 'the one is held');
  client.supervisor.update({ relays: [one.addr, two.addr] });
  await one.push({ draining: true, drainEndsInMs: 30_000 });
  await until(() => rowOf(client, one)?.reason === 'draining', 'the other has its place');
  const second = await client.libp2p.dial(multiaddr(one.addr), { force: true });
  await second.close();
  await until(() => client.libp2p.getConnections(one.node.peerId).length === 1, 'one connection is closed');
  assert.equal(rowOf(client, one)?.draining, true);
  one.clients().forEach((connection) => void connection.close());
  await until(() => rowOf(client, one)?.draining === false, 'it has gone');
});

test('the only relay drains: it is told at once, held on to, and used again when it is back', DEADLINE, async () => {
  await using relay = await talkingRelay();
  await using client = await testClient({ relays: [relay.addr], desired: 1, random: () => 0.05 });
  await until(() => client.supervisor.held === 1, 'it is held');
  // Far longer than what it waits for: it is told within 10 s, or this fails.
  await relay.push({ draining: true, drainEndsInMs: 30_000 });
  assert.equal(client.supervisor.held, 1);
  assert.equal(client.supervisor.circuitAddrs().length, 1);
  relay.says = {};
  relay.clients().forEach((connection) => void connection.close());
  await until(() => client.supervisor.held === 0, 'it has gone');
  await until(() => client.supervisor.held === 1 && rowOf(client, relay)?.draining === false, 'it is held again');
  assert.equal(await metric(client.registry, 'relayd_client_drains_total{outcome="cut"}'), 1);
});

test('while others reach this node directly nothing is held, and no relay is kept busy', DEADLINE, async () => {
  await using one = await talkingRelay();
  await using two = await talkingRelay();
  await using client = await testClient({ relays: [one.addr, two.addr], desired: 1 });
  await until(() => client.supervisor.candidates().some(({ state }) => state === 'standby'), 'one is held, one in reserve', CALM_AGAIN_MS);
  client.supervisor.setReachability('public');
  await until(() => client.supervisor.held === 0 && client.libp2p.getConnections().length === 0, 'all are left');
  assert.deepEqual([client.supervisor.desired, client.supervisor.circuitAddrs()], [0, []]);
  client.supervisor.update({ when: 'always' });
  // One that is late just then is held beside the other, until all is calm again.
  await until(() => client.supervisor.held >= 1, 'the config wants it anyway');
  client.supervisor.update({ when: 'auto' });
  await until(() => client.supervisor.held === 0, 'and then does not');
  client.supervisor.setReachability('private');
  await until(() => client.supervisor.held >= 1, 'it is needed again');
});

test('peers that were found are asked whether they relay, and those that do not are left', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using plain = await plainNode();
  await using client = await testClient();
  const wanted: boolean[] = [];
  client.supervisor.on('relays:wanted', (event) => wanted.push(event.wanted));
  const known = once(client.supervisor, 'relays:known');
  client.supervisor.discovered('dht', [relay, plain].map((node) => ({ peer: node.peerId, addrs: [multiaddr(addrOf(node))] })));
  await until(() => client.supervisor.held === 1, 'the relay is held');
  assert.deepEqual(client.supervisor.candidates().map(({ peer, source }) => [peer, source]), [[relay.peerId.toString(), 'dht']]);
  await until(() => client.libp2p.getConnections(plain.peerId).length === 0, 'the other is left');
  await known;
  assert.deepEqual(client.supervisor.known().map(({ peer }) => peer.toString()), [relay.peerId.toString()]);
  assert.equal(client.supervisor.wantsRelays, true, 'one of two');

  client.supervisor.update({ relays: [addrOf(relay)] });
  await until(() => client.supervisor.candidates()[0]?.source === 'manual', 'the stronger word counts');
  client.supervisor.update({ relays: [] });
  client.supervisor.discovered('dht', []);
  assert.equal(client.supervisor.held, 1, 'the only relay is held until there is another, whoever has stopped naming it');
});

test('a relay that is held names another', DEADLINE, async () => {
  await using other = await stockRelay();
  await using relay = await talkingRelay({ alternatives: [multiaddr(addrOf(other))] });
  await using client = await testClient({ relays: [relay.addr], desired: 2 });
  await until(() => client.supervisor.held === 2, 'both are held');
  assert.deepEqual(client.supervisor.candidates().map(({ source }) => source).sort(), ['manual', 'relay']);
});
