import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Libp2p, Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { readFrame, writeFrame } from '../../src/lib/circuit/frames.ts';
import { encodeHop } from '../../src/lib/circuit/messages.ts';
import type { HopMessage } from '../../src/lib/circuit/messages.ts';
import { HOP_PROTOCOL } from '../../src/lib/circuit/protocol.ts';
import { sealVoucher } from '../../src/lib/circuit/voucher.ts';
import { freePort } from '../support/free-port.ts';
import { within } from '../support/waiting.ts';
import { addrOf, freezableProxy, metric, plainNode, silentServer, stockRelay, testClient, until } from '../unit/client/support.ts';
import type { TestNode } from '../unit/client/support.ts';

const DEADLINE = { timeout: 60_000 };
const FAST_PROBE = { intervalMs: 200, timeoutMs: 200 };

/** Waits at the near end of every window. */
const impatient = (): number => 0.05;

function portOf(node: Libp2p): number {
  return Number(multiaddr(addrOf(node)).getComponents().find(({ name }) => name === 'tcp')?.value);
}

/** A relay that answers RESERVE with what `reply` says. */
async function handMadeRelay(reply: (stream: Stream, peer: Libp2p['peerId'], relay: Libp2p) => Promise<HopMessage | undefined>): Promise<TestNode> {
  const node = await plainNode();
  await node.handle(HOP_PROTOCOL, (stream, connection) => {
    void (async () => {
      await readFrame(stream, { signal: AbortSignal.timeout(5000) });
      const message = await reply(stream, connection.remotePeer, node);
      if (message !== undefined) writeFrame(stream, encodeHop(message));
      await stream.close();
    })().catch((error: unknown) => stream.abort(error as Error));
  });
  return node;
}

function granted(extra: Partial<NonNullable<HopMessage['reservation']>> = {}): HopMessage {
  const expire = Math.round(Date.now() / 1000) + 3600;
  return { type: 'STATUS', status: 100, reservation: { expire, addrs: [], ...extra } };
}

test('reserves on two relays at once, announces exactly those, and says so to connected peers', DEADLINE, async () => {
  await using one = await stockRelay();
  await using two = await stockRelay();
  const relays = [one, two];
  await using client = await testClient({ relays: relays.map(addrOf) });
  await until(() => client.supervisor.held === 2, 'both are held');
  const expected = relays.map((relay) => `${addrOf(relay)}/p2p-circuit/p2p/${client.id}`).sort();
  assert.deepEqual(client.libp2p.getMultiaddrs().map(String).sort(), expected);
  assert.deepEqual(client.supervisor.circuitAddrs().sort(), expected);

  const told = async (count: number): Promise<boolean> => (await one.peerStore.get(client.libp2p.peerId)).addresses.length === count;
  await until(async () => await told(2), 'the peer is told of both');
  await two.stop();
  await until(() => client.supervisor.held === 1, 'one is lost');
  assert.deepEqual(client.libp2p.getMultiaddrs().map(String), [`${addrOf(one)}/p2p-circuit/p2p/${client.id}`]);
  await until(async () => await told(1), 'the peer is told of the one that is left');
});

test('a relay in use is tagged, and no longer after it is lost', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using client = await testClient({ relays: [addrOf(relay)] });
  await once(client.supervisor, 'reservation:opened');
  const tagged = async (): Promise<boolean> => (await client.libp2p.peerStore.get(relay.peerId)).tags.has('relayd-relay');
  await until(tagged, 'it is tagged');
  await relay.stop();
  await until(async () => !(await tagged()), 'it is not tagged any more');
});

test('a TTL of three seconds is renewed again and again, announced all the time', DEADLINE, async () => {
  await using relay = await stockRelay({ reservations: { reservationTtl: 3000 } });
  await using client = await testClient({ relays: [addrOf(relay)], desired: 1 });
  let renewed = 0;
  client.supervisor.on('reservation:renewed', () => (renewed += 1));
  await until(() => client.supervisor.circuitAddrs().length === 1, 'it is announced');
  const changes: string[][] = [];
  client.supervisor.on('addresses:changed', ({ addrs }) => changes.push(addrs));
  await until(() => renewed >= 4, 'it is renewed again and again', 20_000);
  assert.deepEqual(changes, []);
  assert.equal(client.supervisor.held, 1);
  assert.equal(await metric(client.registry, 'libp2p_autorelay_reservation_requests_outcome_total{request_type="refresh",outcome="success"}'), renewed);
});

test('a relay that is killed and comes back on the same port is reserved again', DEADLINE, async () => {
  const privateKey = await generateKeyPair('Ed25519');
  const port = await freePort();
  let relay = await stockRelay({ privateKey, port });
  await using _last = { [Symbol.asyncDispose]: async () => await relay.stop() };
  await using client = await testClient({ relays: [addrOf(relay)], desired: 1, random: impatient });
  await once(client.supervisor, 'reservation:opened');
  for (let round = 0; round < 3; round++) {
    const lost = once(client.supervisor, 'reservation:lost');
    const changed = once(client.supervisor, 'addresses:changed');
    await relay.stop();
    await lost;
    assert.deepEqual((await changed)[0].addrs, []);
    assert.deepEqual(client.libp2p.getMultiaddrs(), []);
    await until(() => client.supervisor.candidates()[0]?.state === 'backoff', 'an attempt has failed');
    assert.match(client.supervisor.candidates()[0]?.reason ?? '', /cannot connect/);
    relay = await stockRelay({ privateKey, port });
    await until(() => client.supervisor.held === 1, 'it is held again');
  }
});

test('a frozen relay: withdrawn when late, replaced when missed, given up when dead; used again when it is back', DEADLINE, async () => {
  await using one = await stockRelay();
  await using two = await stockRelay();
  await using proxy = await freezableProxy(portOf(one));
  const through = addrOf(one).replace(`/tcp/${portOf(one)}/`, `/tcp/${proxy.port}/`);
  await using client = await testClient({ relays: [through], desired: 1, probe: { intervalMs: 600, timeoutMs: 1_500 }, random: impatient });
  await once(client.supervisor, 'reservation:opened');
  client.supervisor.update({ relays: [through, addrOf(two)] });
  const events: string[] = [];
  client.supervisor.on('reservation:opened', ({ relay }) => events.push(`opened ${relay}`));
  client.supervisor.on('reservation:lost', ({ relay, reason }) => events.push(`lost ${relay} ${reason}`));

  const frozenAt = performance.now();
  proxy.freeze();
  await until(() => client.supervisor.circuitAddrs().every((addr) => !addr.includes(one.peerId.toString())), 'the address is withdrawn');
  assert.ok(performance.now() - frozenAt < 600 + 1_500, 'before a whole timeout has passed');
  assert.equal(client.supervisor.candidates().find(({ peer }) => peer === one.peerId.toString())?.state, 'lost');
  await until(() => client.supervisor.held === 1, 'another is held');
  await until(() => client.libp2p.getConnections(one.peerId).length === 0, 'its connection is closed');
  assert.deepEqual(events, [`opened ${two.peerId.toString()}`, `lost ${one.peerId.toString()} the relay does not answer`]);

  proxy.thaw();
  client.supervisor.update({ desired: 2 });
  await until(() => client.supervisor.held === 2, 'it is used again', 40_000);
});

test('a relay that stalls shorter than three timeouts loses no connection, and is announced again', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using proxy = await freezableProxy(portOf(relay));
  const through = addrOf(relay).replace(`/tcp/${portOf(relay)}/`, `/tcp/${proxy.port}/`);
  await using client = await testClient({ relays: [through], desired: 1, probe: { intervalMs: 400, timeoutMs: 800 } });
  await once(client.supervisor, 'reservation:opened');
  const [connection] = client.libp2p.getConnections(relay.peerId);
  await until(() => client.supervisor.candidates()[0]?.rttMs !== null, 'it is measured');
  proxy.freeze();
  await until(() => client.supervisor.circuitAddrs().length === 0, 'it is withdrawn');
  assert.equal(client.supervisor.held, 0);
  proxy.thaw();
  await until(() => client.supervisor.held === 1 && client.supervisor.circuitAddrs().length === 1, 'it is announced again');
  assert.equal(connection?.status, 'open');
  assert.equal(client.supervisor.candidates()[0]?.reason, 'held: first by score');
});

test('a relay that accepts and stays silent does not delay the others', DEADLINE, async () => {
  await using dead = await silentServer();
  await using relay = await stockRelay();
  const ghost = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
  const silent = `/ip4/127.0.0.1/tcp/${dead.port}/p2p/${ghost.toString()}`;
  const start = performance.now();
  await using client = await testClient({ relays: [silent, addrOf(relay)], desired: 1 });
  await until(() => client.supervisor.held === 1, 'the live one is held');
  assert.ok(performance.now() - start < 8_000, 'silence is believed after ten seconds');
});

test('a connection that was dead before it could be used is closed, so that the next try makes another', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using proxy = await freezableProxy(portOf(relay));
  const through = addrOf(relay).replace(`/tcp/${portOf(relay)}/`, `/tcp/${proxy.port}/`);
  await using client = await testClient({ probe: FAST_PROBE, random: impatient });
  const dead = await client.libp2p.dial(multiaddr(through));
  proxy.freeze();
  client.supervisor.update({ relays: [through] });
  await until(() => dead.status !== 'open', 'the dead connection is closed', 15_000);
  assert.match(client.supervisor.candidates()[0]?.reason ?? '', /no answer within/);
  proxy.thaw();
  await until(() => client.supervisor.held === 1, 'it is held', 30_000);
});

test('fewer relays than desired: all are used, and that is no error', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using client = await testClient({ relays: [addrOf(relay)], desired: 3 });
  await until(() => client.supervisor.held === 1, 'it is held');
  assert.equal(client.supervisor.desired, 3);
  assert.equal(await metric(client.registry, 'libp2p_autorelay_desired_reservations'), 3);
  assert.equal(client.supervisor.candidates()[0]?.state, 'reserved');
});

test('no voucher is accepted; one of another peer, and garbage, are not', DEADLINE, async () => {
  const privateKey = await generateKeyPair('Ed25519');
  await using without = await handMadeRelay(async () => granted());
  await using garbage = await handMadeRelay(async () => granted({ voucher: Uint8Array.of(1, 2, 3) }));
  await using foreign = await handMadeRelay(async (_stream, peer, relay) => {
    const expire = Math.round(Date.now() / 1000) + 3600;
    return granted({ expire, voucher: await sealVoucher({ relay: relay.peerId, peer, expireSeconds: expire }, privateKey) });
  });
  await using client = await testClient({ relays: [without, garbage, foreign].map(addrOf), desired: 3 });
  await until(() => client.supervisor.candidates().every(({ state }) => state === 'reserved' || state === 'backoff'), 'all have answered');
  const rows = new Map(client.supervisor.candidates().map((row) => [row.peer, row]));
  assert.equal(rows.get(without.peerId.toString())?.state, 'reserved');
  for (const relay of [garbage, foreign]) {
    assert.equal(rows.get(relay.peerId.toString())?.state, 'backoff');
    assert.match(rows.get(relay.peerId.toString())?.reason ?? '', /voucher is not valid/);
  }
  assert.ok(((await metric(client.registry, 'libp2p_autorelay_reservation_requests_outcome_total{request_type="new",outcome="malformed message"}')) ?? 0) >= 2);
});

test('a relay that gives no address is announced under the one that was dialled', DEADLINE, async () => {
  await using relay = await handMadeRelay(async () => granted());
  await using client = await testClient({ relays: [addrOf(relay)] });
  await until(() => client.supervisor.circuitAddrs().length === 1, 'it is announced');
  assert.deepEqual(client.supervisor.circuitAddrs(), [`${addrOf(relay)}/p2p-circuit/p2p/${client.id}`]);
});

test('a refusal is kept for people to read, counted, and its time to wait is honoured', DEADLINE, async () => {
  const asked: number[] = [];
  await using relay = await handMadeRelay(async () => {
    asked.push(performance.now());
    const refusal = { limit: 'reservations.max', current: 128, maximum: 128, retryAfterSeconds: 2, alternatives: [] };
    return asked.length > 1 ? granted() : { type: 'STATUS', status: 200, refusal };
  });
  await using client = await testClient({ relays: [addrOf(relay)] });
  await until(() => client.supervisor.candidates()[0]?.state === 'backoff', 'it has refused');
  const [row] = client.supervisor.candidates();
  assert.match(row?.reason ?? '', /RESERVATION_REFUSED \(reservations\.max, 128 of 128, try again in 2 s\)/);
  assert.ok((row?.retryInSeconds ?? 0) >= 2);
  assert.equal(await metric(client.registry, 'libp2p_autorelay_reservation_requests_outcome_total{request_type="new",outcome="reservation refused"}'), 1);
  await until(() => client.supervisor.held === 1, 'it is held');
  assert.ok((asked[1] ?? 0) - (asked[0] ?? 0) >= 2000);
});

test('a relay that refuses and names another is believed', DEADLINE, async () => {
  await using other = await stockRelay();
  const refusal = { limit: 'reservations.max', retryAfterSeconds: 60, alternatives: [addrOf(other), 'nonsense'] };
  await using full = await handMadeRelay(async () => ({ type: 'STATUS', status: 200, refusal }));
  await using client = await testClient({ relays: [addrOf(full)], desired: 1 });
  await until(() => client.supervisor.held === 1, 'the other is held');
  assert.deepEqual(client.supervisor.candidates().map(({ state, source }) => [state, source]), [['backoff', 'manual'], ['reserved', 'relay']]);
});

test('replies that are no reservation are failures with a reason: expired, absurd, empty, none, silence', DEADLINE, async () => {
  await using expired = await handMadeRelay(async () => granted({ expire: Math.round(Date.now() / 1000) - 1 }));
  await using milliseconds = await handMadeRelay(async () => granted({ expire: Date.now() + 3_600_000 }));
  await using empty = await handMadeRelay(async () => ({ type: 'STATUS', status: 100 }));
  await using request = await handMadeRelay(async () => ({ type: 'RESERVE' }));
  await using gone = await handMadeRelay(async () => undefined);
  const relays = [expired, milliseconds, empty, request, gone];
  await using client = await testClient({ relays: relays.map(addrOf), desired: 5 });
  const reason = (relay: Libp2p): string => client.supervisor.candidates().find(({ peer }) => peer === relay.peerId.toString())?.reason ?? '';
  // Between attempts: while one runs, that is the reason.
  const fails = async (relay: Libp2p, why: RegExp): Promise<void> => await until(() => why.test(reason(relay)), `it fails: ${why.source}`);
  await fails(expired, /expired already/);
  await fails(milliseconds, /more than a year/);
  await fails(empty, /no reservation/);
  await fails(request, /RESERVE in place of STATUS/);
  await fails(gone, /ended before a whole message/);
  assert.equal(client.supervisor.held, 0);
});

test('a relay that says how long a reservation lasts is believed, whatever its clock says', DEADLINE, async () => {
  const anHourAgo = Math.round(Date.now() / 1000) - 3600;
  let asked = 0;
  await using relay = await handMadeRelay(async () => ((asked += 1), granted({ expire: anHourAgo, ttlSeconds: 2 })));
  await using client = await testClient({ relays: [addrOf(relay)], desired: 1 });
  const lost: unknown[] = [];
  client.supervisor.on('reservation:lost', (event) => lost.push(event));
  await until(() => client.supervisor.held === 1, 'it is held');
  await until(() => asked >= 4, 'it is renewed in time, again and again');
  assert.deepEqual(lost, []);
});

test('configured announce addresses do not hide circuit addresses', DEADLINE, async () => {
  await using relay = await stockRelay();
  const announce = '/dns4/client.example/tcp/4001';
  await using client = await testClient({ relays: [addrOf(relay)], announce: [announce], listen: ['/ip4/127.0.0.1/tcp/0'] });
  await until(() => client.supervisor.held === 1, 'it is held');
  const circuit = `${addrOf(relay)}/p2p-circuit/p2p/${client.id}`;
  assert.deepEqual(client.libp2p.getMultiaddrs().map(String), [`${announce}/p2p/${client.id}`, circuit]);
  await relay.stop();
  await until(() => client.supervisor.held === 0, 'it is lost');
  assert.deepEqual(client.libp2p.getMultiaddrs().map(String), [`${announce}/p2p/${client.id}`]);
});

test('a relay\'s public address is announced, a private one only if the config allows', DEADLINE, async () => {
  const given = ['/ip4/127.0.0.1/tcp/4001', '/ip4/10.0.0.1/tcp/4001', '/ip4/198.41.0.4/tcp/4001'].map((text) => multiaddr(text).bytes);
  await using relay = await handMadeRelay(async () => granted({ addrs: given }));
  await using shy = await testClient({ relays: [addrOf(relay)], allowPrivate: false });
  await using open = await testClient({ relays: [addrOf(relay)] });
  await until(() => shy.supervisor.held === 1 && open.supervisor.held === 1, 'both are held');
  assert.deepEqual(shy.libp2p.getMultiaddrs().map(String), [`/ip4/198.41.0.4/tcp/4001/p2p/${relay.peerId.toString()}/p2p-circuit/p2p/${shy.id}`]);
  assert.equal(open.libp2p.getMultiaddrs().length, 3);
});

test('a bootstrap peer becomes a candidate only when identify shows that it is a relay', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using plain = await plainNode();
  await using client = await testClient({ bootstrap: [addrOf(relay), addrOf(plain)] });
  await until(() => client.supervisor.held === 1, 'the relay is held');
  await until(() => client.libp2p.getConnections(plain.peerId).length === 1, 'the other has been asked');
  assert.deepEqual(client.supervisor.candidates().map(({ peer, source }) => [peer, source]), [[relay.peerId.toString(), 'bootstrap']]);
  const support = async (label: string): Promise<number | undefined> => await metric(client.registry, `libp2p_autorelay_candidates_circuit_v2_support_total{support="${label}"}`);
  await until(async () => (await support('no')) === 1, 'both are counted');
  assert.equal(await support('yes'), 1);
});

test('a bootstrap peer that comes up later is found', DEADLINE, async () => {
  const privateKey = await generateKeyPair('Ed25519');
  const port = await freePort();
  const first = await stockRelay({ privateKey, port });
  const addr = addrOf(first);
  await first.stop();
  await using client = await testClient({ bootstrap: [addr], random: impatient });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await using _relay = await stockRelay({ privateKey, port });
  await until(() => client.supervisor.held === 1, 'it is held', 30_000);
});

test('a changed list: the new relay is held before the old one is dropped', DEADLINE, async () => {
  await using old = await stockRelay();
  await using fresh = await stockRelay();
  await using client = await testClient({ relays: [addrOf(old)], desired: 1 });
  await until(() => client.supervisor.held === 1, 'the old one is held');
  const events: string[] = [];
  client.supervisor.on('reservation:opened', ({ relay }) => events.push(`opened ${relay}`));
  client.supervisor.on('reservation:lost', ({ relay, reason }) => events.push(`lost ${relay} ${reason}`));
  client.supervisor.update({ relays: [addrOf(fresh)] });
  await until(() => events.length === 2, 'the new one has taken its place');
  assert.deepEqual(events, [`opened ${fresh.peerId.toString()}`, `lost ${old.peerId.toString()} no longer listed`]);
  assert.deepEqual(client.supervisor.candidates().map(({ peer }) => peer), [fresh.peerId.toString()]);
  await until(() => client.libp2p.getConnections(old.peerId).length === 0, 'the old connection is closed');
  client.supervisor.update({ relays: [] });
  await until(() => client.supervisor.candidates().length === 0, 'nothing is left');
  assert.deepEqual(client.libp2p.getMultiaddrs(), []);
});

test('of more relays than desired all are measured, and one that is lost is replaced at once', DEADLINE, async () => {
  await using one = await stockRelay();
  await using two = await stockRelay();
  await using three = await stockRelay();
  const relays = [one, two, three];
  await using client = await testClient({ relays: relays.map(addrOf), desired: 2 });
  const states = (): string => client.supervisor.candidates().map(({ state }) => state).sort().join();
  await until(() => states() === 'reserved,reserved,standby' && client.supervisor.candidates().every(({ rttMs }) => rttMs !== null), 'two are held, and the third is in reserve');
  const held = client.supervisor.candidates().find(({ state }) => state === 'reserved')?.peer;
  const opened = once(client.supervisor, 'reservation:opened');
  await relays.find((relay) => relay.peerId.toString() === held)?.stop();
  await within(opened, 'the third takes its place');
  await until(() => client.supervisor.circuitAddrs().length === 2, 'two are announced');
});

test('stop withdraws everything; start begins again', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using client = await testClient({ relays: [addrOf(relay)] });
  await until(() => client.supervisor.held === 1, 'it is held');
  client.supervisor.stop();
  assert.deepEqual([client.supervisor.held, client.supervisor.candidates(), client.libp2p.getMultiaddrs()], [0, [], []]);
  assert.equal(await metric(client.registry, 'libp2p_autorelay_status'), 0);
  assert.equal(await metric(client.registry, 'libp2p_autorelay_reservations_closed_total'), 1);
  client.supervisor.start();
  await until(() => client.supervisor.held === 1, 'it is held again');
  assert.equal(await metric(client.registry, 'libp2p_autorelay_status'), 1);
});

test('libp2p itself may be stopped and started under it', DEADLINE, async () => {
  await using relay = await stockRelay();
  await using client = await testClient({ relays: [addrOf(relay)], probe: FAST_PROBE });
  await until(() => client.supervisor.held === 1, 'it is held');
  client.supervisor.stop();
  await client.libp2p.stop();
  await client.libp2p.start();
  client.supervisor.start();
  await until(() => client.libp2p.getMultiaddrs().length === 1, 'it is announced again');
});
