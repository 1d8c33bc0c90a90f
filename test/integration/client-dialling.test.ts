import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection, PeerId } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFrame, writeFrame } from '../../src/lib/circuit/frames.ts';
import { encodeHop } from '../../src/lib/circuit/messages.ts';
import { HOP_PROTOCOL } from '../../src/lib/circuit/protocol.ts';
import type { RelaydError } from '../../src/lib/errors.ts';
import { addrOf, freezableProxy, metric, plainNode, silentServer, stockRelay, testClient, until } from '../unit/client/support.ts';
import type { TestClient, TestNode } from '../unit/client/support.ts';

const DEADLINE = { timeout: 60_000 };
const LOCAL = '/ip4/127.0.0.1/tcp/0';
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const newPeer = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519'));

async function reserved(relays: TestNode[], options: Parameters<typeof testClient>[0] = {}): Promise<TestClient> {
  const client = await testClient({ relays: relays.map(addrOf), desired: relays.length, ...options });
  await until(() => client.supervisor.held === relays.length, 'all relays are held');
  return client;
}

/** Tells `client` where `peer` is said to be. */
async function teach(client: TestClient, peer: PeerId, addrs: string[]): Promise<void> {
  await client.libp2p.peerStore.merge(peer, { multiaddrs: addrs.map((addr) => multiaddr(addr)) });
}

/** The address of a relay that accepts connections and says nothing, and of no relay that exists. */
async function silentRelay(port: number): Promise<string> {
  return `/ip4/127.0.0.1/tcp/${port}/p2p/${(await newPeer()).toString()}`;
}

/** What silence costs without a slot of its own: the time of a contender, which is 10 s; a busy machine is slow, but not for so long. */
const FAR_LESS_MS = 5_000;

async function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  return [await work, performance.now() - start];
}

test('a bare peer id is found through the relays that we hold; the same connection is used again', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved([relay]);
  await using caller = await reserved([relay]);
  const first = await caller.dialler.dial(target.id, { signal: soon() });
  assert.deepEqual([first.path, first.via], ['relay', relay.peerId.toString()]);
  assert.ok(first.dialMs > 0);
  const second = await caller.dialler.dial(target.id, { signal: soon() });
  assert.equal(second.connection, first.connection);
  assert.equal(await metric(caller.registry, 'relayd_client_dials_total{path="relay",outcome="success"}'), 1);
  assert.equal(await metric(caller.registry, 'relayd_client_dials_total{path="existing",outcome="success"}'), 1);
});

test('a relay that we know and do not hold is tried too', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved([relay]);
  await using caller = await testClient({ relays: [addrOf(relay)], desired: 0 });
  assert.equal((await caller.dialler.dial(target.id, { signal: soon() })).via, relay.peerId.toString());
});

test('a direct address wins over relays, and an open direct connection over an open circuit', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved([relay], { listen: [LOCAL] });
  await using caller = await reserved([relay]);
  const circuit = target.supervisor.circuitAddrs()[0] ?? assert.fail();
  const direct = target.libp2p.getMultiaddrs().map(String).find((addr) => !addr.includes('p2p-circuit')) ?? assert.fail();
  const relayed = await caller.dialler.dial(circuit, { signal: soon() });
  assert.equal(relayed.path, 'relay');
  const straight = await caller.dialler.dial(direct, { signal: soon(), fresh: true });
  assert.deepEqual([straight.path, straight.via], ['direct', undefined]);
  assert.equal(relayed.connection.status, 'closed');
  await caller.libp2p.dial(multiaddr(circuit), { force: true, signal: soon() });
  assert.equal(caller.libp2p.getConnections(target.libp2p.peerId).length, 2);
  assert.equal((await caller.dialler.dial(target.id, { signal: soon() })).connection, straight.connection);
});

test('a silent relay costs no more than its slot', DEADLINE, async () => {
  await using silent = await silentServer();
  await using relay = await stockRelay();
  await using target = await reserved([relay]);
  await using caller = await testClient();
  await teach(caller, target.libp2p.peerId, [`${addrOf(relay)}/p2p-circuit/p2p/${target.id}`]);
  const [result, ms] = await timed(caller.dialler.dial(`${await silentRelay(silent.port)}/p2p-circuit/p2p/${target.id}`, { signal: soon() }));
  assert.equal(result.via, relay.peerId.toString());
  assert.ok(ms >= 240 && ms < FAR_LESS_MS, `took ${ms} ms`);
  await until(() => caller.libp2p.getDialQueue().length === 0, 'the dial to the silent one has been given up', FAR_LESS_MS);
});

test('a silent direct address costs no more than its head start', DEADLINE, async () => {
  await using silent = await silentServer();
  await using relay = await stockRelay();
  await using target = await reserved([relay]);
  await using caller = await reserved([relay]);
  await teach(caller, target.libp2p.peerId, [`/ip4/127.0.0.1/tcp/${silent.port}`]);
  const [result, ms] = await timed(caller.dialler.dial(target.id, { signal: soon() }));
  assert.equal(result.path, 'relay');
  assert.ok(ms >= 200 && ms < FAR_LESS_MS, `took ${ms} ms`);
});

test('a refused direct address costs nothing', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved([relay]);
  await using caller = await reserved([relay]);
  await teach(caller, target.libp2p.peerId, ['/ip4/127.0.0.1/tcp/1']);
  const [result, ms] = await timed(caller.dialler.dial(target.id, { signal: soon() }));
  assert.equal(result.path, 'relay');
  assert.ok(ms < FAR_LESS_MS, `took ${ms} ms`);
});

test('an open circuit through a relay that froze is not used: another way is found within a second', DEADLINE, async () => {
  await using one = await stockRelay();
  await using two = await stockRelay();
  const port = Number(multiaddr(addrOf(one)).getComponents()[1]?.value);
  await using proxy = await freezableProxy(port);
  const through = addrOf(one).replace(`/tcp/${port}/`, `/tcp/${proxy.port}/`);
  await using target = await reserved([one, two]);
  await using caller = await testClient({ relays: [through, addrOf(two)], desired: 2 });
  await until(() => caller.supervisor.held === 2, 'both are held');
  const before = await caller.dialler.dial(`${through}/p2p-circuit/p2p/${target.id}`, { signal: soon() });
  assert.equal(before.via, one.peerId.toString());
  await new Promise((resolve) => setTimeout(resolve, 1100));
  proxy.freeze();
  const [after, ms] = await timed(caller.dialler.dial(target.id, { signal: soon() }));
  assert.equal(after.via, two.peerId.toString());
  assert.ok(ms < 1000, `took ${ms} ms`);
  assert.equal(before.connection.status, 'open', 'to close it is for the probe');
  const [fresh, freshMs] = await timed(caller.dialler.dial(target.id, { signal: soon(), fresh: true }));
  assert.equal(fresh.via, two.peerId.toString());
  assert.ok(freshMs < 1500, `took ${freshMs} ms`);
});

test('a fresh dial makes a new connection', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved([relay]);
  await using caller = await reserved([relay]);
  const first = await caller.dialler.dial(target.id, { signal: soon() });
  const second = await caller.dialler.dial(target.id, { signal: soon(), fresh: true });
  assert.notEqual(second.connection, first.connection);
  assert.equal(first.connection.status, 'closed');
  await until(() => target.libp2p.getConnections(caller.libp2p.peerId).length === 1, 'the other end has one too');
});

test('a fresh dial to a relay spares the connection that our reservation lives on', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using caller = await reserved([relay]);
  const [carrier] = caller.libp2p.getConnections(relay.peerId);
  for (let i = 0; i < 3; i++) {
    const result = await caller.dialler.dial(relay.peerId.toString(), { signal: soon(), fresh: true });
    assert.deepEqual([result.path, result.connection === carrier], ['direct', false]);
    assert.equal(carrier?.status, 'open');
    assert.equal(caller.libp2p.getConnections(relay.peerId).length, 2, 'the one of the dial before is gone');
  }
  assert.equal(caller.supervisor.held, 1);
});

test('dials to one peer at a time share one attempt', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved([relay]);
  await using caller = await reserved([relay]);
  const results = await Promise.all(Array.from({ length: 20 }, () => caller.dialler.dial(target.id, { signal: soon() })));
  assert.equal(new Set(results.map(({ connection }) => connection)).size, 1);
  assert.equal(caller.libp2p.getConnections(target.libp2p.peerId).length, 1);
});

test('losers that come in late are closed', DEADLINE, async () => {
  await using target = await testClient({ listen: [LOCAL] });
  await using caller = await testClient();
  // Two direct addresses of one listener: both succeed, one is used.
  const direct = multiaddr(target.libp2p.getMultiaddrs()[0]?.toString() ?? '');
  const port = direct.getComponents()[1]?.value ?? '';
  await teach(caller, target.libp2p.peerId, [`/ip4/127.0.0.1/tcp/${port}`, `/dns4/localhost/tcp/${port}`]);
  const { connection } = await caller.dialler.dial(target.id, { signal: soon() });
  await until(() => caller.libp2p.getDialQueue().length === 0 && caller.libp2p.getConnections(target.libp2p.peerId).length === 1, 'the other dial is over');
  assert.deepEqual(caller.libp2p.getConnections(target.libp2p.peerId), [connection]);
  assert.equal(connection.status, 'open');
});

test('when nothing works, the error says what was tried and why it failed', DEADLINE, async () => {
  await using relay = await plainNode();
  await relay.handle(HOP_PROTOCOL, (stream) => {
    void readFrame(stream, { signal: soon() }).then(() => {
      writeFrame(stream, encodeHop({ type: 'STATUS', status: 204 }));
      return stream.close();
    });
  });
  await using caller = await testClient();
  const target = await newPeer();
  await teach(caller, target, ['/ip4/127.0.0.1/tcp/1', `${addrOf(relay)}/p2p-circuit/p2p/${target.toString()}`]);
  await assert.rejects(caller.dialler.dial(target.toString(), { signal: soon() }), (error: RelaydError) => {
    assert.equal(error.code, 'DIAL_FAILED');
    assert.match(error.message, /tcp\/1.*ECONNREFUSED.*relay .*NO_RESERVATION/);
    const attempts = error.data.attempts as { address: string; error: string }[];
    assert.deepEqual(attempts.map(({ address }) => address), [`/ip4/127.0.0.1/tcp/1/p2p/${target.toString()}`, `relay ${relay.peerId.toString()}`]);
    return true;
  });
  assert.equal(await metric(caller.registry, 'relayd_client_dials_total{path="none",outcome="failure"}'), 1);
});

test('a peer of whom nothing is known, and targets that are none', DEADLINE, async () => {
  await using caller = await testClient();
  const refused = async (target: string, code: string): Promise<void> => {
    await assert.rejects(caller.dialler.dial(target, { signal: soon() }), (error: RelaydError) => error.code === code, target);
  };
  await refused((await newPeer()).toString(), 'NO_ADDRESS');
  await refused('nobody', 'BAD_REQUEST');
  await refused('/ip4/127.0.0.1/tcp/1', 'BAD_REQUEST');
  await refused(caller.id, 'BAD_REQUEST');
});

test('the caller\'s deadline ends the dial, and the error says what was under way', DEADLINE, async () => {
  await using silent = await silentServer();
  await using caller = await testClient();
  const target = await newPeer();
  await teach(caller, target, [`/ip4/127.0.0.1/tcp/${silent.port}`]);
  const [, ms] = await timed(
    assert.rejects(caller.dialler.dial(target.toString(), { signal: AbortSignal.timeout(300) }), (error: RelaydError) => {
      assert.equal(error.code, 'TIMEOUT');
      assert.deepEqual(error.data.attempts, [{ address: `/ip4/127.0.0.1/tcp/${silent.port}/p2p/${target.toString()}`, error: 'no answer yet' }]);
      return true;
    }),
  );
  assert.ok(ms < FAR_LESS_MS);
  const aborted = new AbortController();
  const dial = caller.dialler.dial(target.toString(), { signal: aborted.signal });
  aborted.abort();
  await assert.rejects(dial, (error: RelaydError) => error.code === 'CLOSED');
});

test('the DHT is asked last', DEADLINE, async () => {
  await using target = await testClient({ listen: [LOCAL] });
  let asked = 0;
  await using caller = await testClient({
    findPeer: async (id) => {
      asked += 1;
      return { id, multiaddrs: target.libp2p.getMultiaddrs() };
    },
  });
  assert.equal((await caller.dialler.dial(target.id, { signal: soon() })).path, 'direct');
  assert.equal(asked, 1);
  await teach(caller, target.libp2p.peerId, target.libp2p.getMultiaddrs().map(String));
  await caller.dialler.dial(target.id, { signal: soon(), fresh: true });
  assert.equal(asked, 1);
});

test('the connection gater is asked for every way', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using target = await reserved([relay], { listen: [LOCAL] });
  await using caller = await testClient({ relays: [addrOf(relay)], gater: { denyDialMultiaddr: (addr) => addr.toString().endsWith(target.id) } });
  await until(() => caller.supervisor.held === 1, 'the relay is held');
  const direct = target.libp2p.getMultiaddrs().map(String).find((addr) => !addr.includes('circuit')) ?? assert.fail();
  await assert.rejects(caller.dialler.dial(direct, { signal: soon() }), /the connection gater does not allow it.*the connection gater does not allow it/);
});

test('an open connection that is closing is not used', DEADLINE, async () => {
  await using target = await testClient({ listen: [LOCAL] });
  await using caller = await testClient();
  const addr = target.libp2p.getMultiaddrs()[0]?.toString() ?? assert.fail();
  const connection = await caller.libp2p.dial(multiaddr(addr), { signal: soon() });
  const closing = connection.close();
  const next: { connection: Connection } = await caller.dialler.dial(addr, { signal: soon() });
  await closing;
  assert.notEqual(next.connection, connection);
  assert.equal(next.connection.status, 'open');
});
