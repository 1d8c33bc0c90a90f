import type { Connection, Libp2p } from '@libp2p/interface';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { systemClock } from '../../src/lib/clock.ts';
import { DirectoryEndpoint } from '../../src/lib/directory/endpoint.ts';
import { sealStatement } from '../../src/lib/directory/statement.ts';
import type { RelayStatement } from '../../src/lib/directory/statement.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { statement } from '../unit/client/candidate-support.ts';
import { addrOf, freezableProxy, metric, plainNode, stockRelay, testClient, until } from '../unit/client/support.ts';
import type { TestClient, TestNode } from '../unit/client/support.ts';

const DEADLINE = { timeout: 60_000 };

/** A standard relay that says of itself what the test wants. */
interface TalkingRelay extends AsyncDisposable {
  node: TestNode;
  id: string;
  addr: string;
  /** From now on; the sequence grows by itself. */
  says: Partial<RelayStatement>;
  asked: number;
  push(changes: Partial<RelayStatement>): Promise<void>;
  clients(): Connection[];
}

async function talkingRelay(says: Partial<RelayStatement> = {}, reservations: Parameters<typeof stockRelay>[0] = {}): Promise<TalkingRelay> {
  const privateKey = await generateKeyPair('Ed25519');
  const node = await stockRelay({ privateKey, ...reservations });
  const directory = new DirectoryEndpoint({ host: node, clock: systemClock, log: silentLogger });
  await directory.start();
  let sequence = Date.now();
  const sealed = (): Promise<Uint8Array> => sealStatement(statement({ ...made.says, sequence: sequence++ }), privateKey);
  const made: TalkingRelay = {
    node,
    id: node.peerId.toString(),
    addr: addrOf(node),
    says,
    asked: 0,
    push: async (changes) => {
      made.says = { ...made.says, ...changes };
      await Promise.all(made.clients().map(async (connection) => await directory.push(connection, await sealed(), AbortSignal.timeout(10_000))));
    },
    clients: () => node.getConnections().filter(({ status }) => status === 'open'),
    [Symbol.asyncDispose]: async () => {
      await directory.stop();
      await node.stop();
    },
  };
  directory.serve(() => {
    made.asked += 1;
    return sealed();
  });
  return made;
}

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
  await until(() => client.supervisor.candidates().some(({ state }) => state === 'standby'), 'one is in reserve');
  await until(() => client.libp2p.getConnections().length === 2, 'the third is left');
  assert.deepEqual(client.supervisor.candidates().map(({ state }) => state).sort(), ['candidate', 'reserved', 'standby']);
  assert.equal(await metric(client.registry, 'relayd_client_standbys'), 1);
  assert.equal(await metric(client.registry, 'libp2p_autorelay_reservations_opened_total'), 1);

  const reserve = client.supervisor.candidates().find(({ state }) => state === 'standby')?.peer;
  const opened = once(client.supervisor, 'reservation:opened');
  await relays.find(({ id }) => rowOf(client, { id } as TalkingRelay)?.state === 'reserved')?.node.stop();
  assert.equal((await opened)[0].relay, reserve);
});

test('a relay that is late to answer is backed up at once, and what is too much is let go only when things are calm', DEADLINE, async () => {
  await using one = await talkingRelay();
  await using two = await talkingRelay();
  await using proxy = await freezableProxy(Number(/tcp\/(\d+)/.exec(one.addr)?.[1]));
  const slow = one.addr.replace(/tcp\/\d+/, `tcp/${proxy.port}`);
  await using client = await testClient({ relays: [slow], desired: 1, probe: { intervalMs: 1_000, timeoutMs: 5_000 } });
  await until(() => client.supervisor.held === 1 && client.supervisor.candidates()[0]?.rttMs !== null, 'it is held and measured');
  client.supervisor.update({ relays: [slow, two.addr] });
  await until(() => rowOf(client, two)?.state === 'standby', 'the other is in reserve');
  const lost: string[] = [];
  client.supervisor.on('reservation:lost', ({ relay }) => lost.push(relay));
  proxy.freeze();
  await until(() => rowOf(client, two)?.state === 'reserved', 'the other is held', 3_000);
  proxy.thaw();
  await until(() => client.supervisor.held === 2, 'both answer');
  const calmFrom = performance.now();
  assert.deepEqual(lost, [], 'neither is let go yet');
  await until(() => lost.length === 1, 'one is let go', 40_000);
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

test('the only relay drains: it is told at once, held on to, and used again when it is back', DEADLINE, async () => {
  await using relay = await talkingRelay();
  await using client = await testClient({ relays: [relay.addr], desired: 1, random: () => 0.05 });
  await until(() => client.supervisor.held === 1, 'it is held');
  const start = performance.now();
  await relay.push({ draining: true, drainEndsInMs: 30_000 });
  assert.ok(performance.now() - start < 500);
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
  await until(() => client.supervisor.candidates().some(({ state }) => state === 'standby'), 'one is held, one in reserve');
  client.supervisor.setReachability('public');
  await until(() => client.supervisor.held === 0 && client.libp2p.getConnections().length === 0, 'all are left');
  assert.deepEqual([client.supervisor.desired, client.supervisor.circuitAddrs()], [0, []]);
  client.supervisor.update({ when: 'always' });
  await until(() => client.supervisor.held === 1, 'the config wants it anyway');
  client.supervisor.update({ when: 'auto' });
  await until(() => client.supervisor.held === 0, 'and then does not');
  client.supervisor.setReachability('private');
  await until(() => client.supervisor.held === 1, 'it is needed again');
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
