import assert from 'node:assert/strict';
import { multiaddr } from '@multiformats/multiaddr';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { FakeRelay, badVouchers, grantWithVoucher, grantWithoutVoucher } from '../fake-relay.ts';
import { stopOk } from '../peer.ts';
import type { RawPeer } from '../peer.ts';
import { ANSWER_MS } from '../raw-stream.ts';
import type { Scene } from '../scene.ts';
import { assertCarries, assertSame, assertStatus, newCircuit, openCircuit, pattern } from '../steps.ts';
import type { RelayTarget } from '../targets.ts';
import { CONNECTED_MS, eventually, nowUnix, pause, untilUnix } from '../waiting.ts';
import { HOP_CONNECT, HOP_RESERVE, HOP_STATUS, NO_RESERVATION, OK, PERMISSION_DENIED, RESERVATION_REFUSED, RESOURCE_LIMIT_EXCEEDED } from '../wire.ts';
import { VOUCHER_DOMAIN, VOUCHER_TYPE, decodeEnvelope, encodeHop, encodeVoucher, frame, verifyEnvelope } from '../wire.ts';
import type { HopMessage } from '../wire.ts';

/** Section references are to libp2p/specs, relay/circuit-v2.md. */

/** "Reservation": STATUS, OK, and `expire` as UTC UNIX time. */
export async function reserveIsAnswered(scene: Scene): Promise<void> {
  const relay = await scene.relay({ ttlSeconds: 3_600 });
  const peer = await scene.peerAt(relay);
  const reply = await peer.reserve();
  assert.equal(reply.type, HOP_STATUS);
  assertStatus(reply, OK, 'RESERVE');
  const left = (reply.reservation?.expire ?? 0) - nowUnix();
  assert.ok(left > 3_590 && left < 3_605, `an expiry ${left} s from now, with a TTL of 3600 s`);
}

/** "Reservation", `addrs`: what a client can put `/p2p-circuit/p2p/ME` behind. */
export async function addressesCanBeUsed(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const found = await reservationAddrs(scene, relay);
  assert.ok(found.length > 0, 'a relay that listens on loopback alone names no address');
  assert.ok(found.includes(relay.addr), `${relay.addr} is not among ${found.join(' ')}`);

  const announced = ['/ip4/1.2.3.4/tcp/4001', '/dns4/relay.example.com/tcp/4001'];
  const behindNat = await scene.relay({ announce: announced });
  const named = await reservationAddrs(scene, behindNat);
  assert.deepEqual(named.sort(), announced.map((addr) => `${addr}/p2p/${behindNat.peerId}`).sort(), 'exactly the announced addresses');

  await foreignOrDoubledAddresses(scene);
}

/** A relay may refuse to start with such a list; what it must not do is to pass it on. */
async function foreignOrDoubledAddresses(scene: Scene): Promise<void> {
  const stranger = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
  const announce = ['/ip4/1.2.3.4/tcp/4001', '/ip4/1.2.3.4/tcp/4001', `/ip4/1.2.3.4/tcp/4002/p2p/${stranger}`];
  const relay = await scene.relay({ announce }).catch(() => undefined);
  if (relay !== undefined) await reservationAddrs(scene, relay);
}

async function reservationAddrs(scene: Scene, relay: RelayTarget): Promise<string[]> {
  const peer = await scene.peerAt(relay);
  const { reservation } = await peer.reserved();
  const addrs = (reservation?.addrs ?? []).map((bytes) => multiaddr(bytes).toString());
  for (const addr of addrs) {
    assert.ok(addr.endsWith(`/p2p/${relay.peerId}`), `${addr} does not end in the relay's peer id`);
    assert.equal(addr.split('/p2p/').length, 2, `${addr} has more than one peer id`);
    assert.ok(!addr.includes('/p2p-circuit'), `${addr} is a circuit address`);
  }
  assert.equal(new Set(addrs).size, addrs.length, `an address twice in ${addrs.join(' ')}`);
  return addrs;
}

/** "Reservation Vouchers", RFC 0002; both sides. */
export async function vouchersAreSigned(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const peer = await scene.peerAt(relay);
  await assertVoucher(relay, peer);
  await clientChecksVouchers(scene);
}

async function assertVoucher(relay: RelayTarget, peer: RawPeer): Promise<void> {
  const { reservation } = await peer.reserved();
  assert.ok(reservation?.voucher, 'a reservation without a voucher');
  const envelope = decodeEnvelope(reservation.voucher);
  assert.deepEqual(envelope.payloadType, VOUCHER_TYPE, 'payload type 0x0302');
  const signer = await verifyEnvelope(envelope, VOUCHER_DOMAIN);
  assert.equal(signer.toString(), relay.peerId.toString(), 'the relay signs');
  const expected = encodeVoucher({ relay: relay.peerId, peer: peer.peerId, expiration: reservation.expire ?? 0 });
  assert.deepEqual(envelope.payload, expected, 'relay, peer and expiration in this order, expiration = expire');
}

async function clientChecksVouchers(scene: Scene): Promise<void> {
  const bad = await badVouchers();
  const names = Object.keys(bad);
  const good = await Promise.all([grantWithVoucher, grantWithoutVoucher].map((reply) => FakeRelay.start(scene, reply)));
  const wrong = await Promise.all(Object.values(bad).map((reply) => FakeRelay.start(scene, reply)));
  const client = await scene.client({ relays: [...good, ...wrong].map(({ addr }) => addr) });
  await eventually(() => wrong.every(({ requests }) => requests > 0), CONNECTED_MS, 'the client to ask every relay');
  const holdsOf = async (relays: FakeRelay[]): Promise<boolean[]> => {
    const held = await client.holds();
    return relays.map(({ peer }) => held.includes(peer.peerId.toString()));
  };
  await eventually(async () => (await holdsOf(good)).every(Boolean), ANSWER_MS, 'the client to hold the reservations with a good voucher and with none');
  await pause(500);
  const accepted = (await holdsOf(wrong)).flatMap((held, i) => (held ? [names[i]] : []));
  assert.equal(accepted.length, 0, `the client took for good a voucher ${accepted.join('; one ')}`);
}

/** "Reservation", `limit`; the same in CONNECT's answer and in STOP. */
export async function limitsAreInSecondsAndBytes(scene: Scene): Promise<void> {
  const relay = await scene.relay({ durationSeconds: 90, bytesPerDirection: 70_000 });
  const expected = { duration: 90, data: 70_000 };
  const target = await scene.peerAt(relay, { stop: stopOk() });
  assert.deepEqual((await target.reserve()).limit, expected, 'the limit of a reservation');
  const { reply } = await (await scene.peerAt(relay)).connectTo(target);
  assert.deepEqual(reply.limit, expected, 'the limit in the answer to CONNECT');
  assert.deepEqual((await target.nextStop()).message?.limit, expected, 'the limit in STOP');
}

/** "Reservation", `limit`: omitted, or 0 in a field, is no limit. */
export async function noLimitMeansUnlimited(scene: Scene): Promise<void> {
  const open = await scene.relay({ durationSeconds: 'unlimited', bytesPerDirection: 'unlimited' });
  const target = await scene.peerAt(open, { stop: stopOk() });
  assert.equal((await target.reserve()).limit, undefined, 'a limit in a reservation of an unlimited relay');
  const { reply } = await (await scene.peerAt(open)).connectTo(target);
  assert.equal(reply.limit, undefined, 'a limit in the answer to CONNECT');
  assert.equal((await target.nextStop()).message?.limit, undefined, 'a limit in STOP');

  await halfUnlimited(scene, await scene.relay({ durationSeconds: 60, bytesPerDirection: 'unlimited' }), 'data');
  await halfUnlimited(scene, await scene.relay({ durationSeconds: 'unlimited', bytesPerDirection: 1_000_000 }), 'duration');
}

async function halfUnlimited(scene: Scene, relay: RelayTarget, unlimited: 'data' | 'duration'): Promise<void> {
  const circuit = await newCircuit(scene, relay);
  assert.equal(circuit.reply.limit?.[unlimited] ?? 0, 0, `limit.${unlimited}, where there is no such limit`);
  const much = pattern(400_000);
  await circuit.hop.pump(much);
  assertSame(await circuit.stop.read(much.length), much, `400,000 bytes without a limit of ${unlimited}`);
}

/** "Reservation", refusals: 200 when full, 202 by the access list; 200 or 201 for one's share. */
export async function refusalsHaveTheirStatus(scene: Scene): Promise<void> {
  await fullRelay(scene);
  await deniedPeers(scene);
  const shared = await scene.relay({ reservationsPerPrefix: 1 });
  await scene.reservedAt(shared);
  assertRefused(await (await scene.peerAt(shared)).reserve(), [RESERVATION_REFUSED, RESOURCE_LIMIT_EXCEEDED], 'a second peer of one prefix');

  const slow = await scene.relay({ reservesPerHour: 2 });
  const eager = await scene.reservedAt(slow);
  await eager.reserved();
  assertRefused(await eager.reserve(), [RESERVATION_REFUSED, RESOURCE_LIMIT_EXCEEDED], 'a third RESERVE, where two an hour are allowed');
}

async function fullRelay(scene: Scene): Promise<void> {
  const relay = await scene.relay({ maxReservations: 1 });
  await scene.reservedAt(relay);
  const reply = await (await scene.peerAt(relay)).reserve();
  assertRefused(reply, RESERVATION_REFUSED, 'RESERVE at a full relay');
  if (scene.kind === 'ours') {
    const { limit, current, maximum } = reply.refusal ?? {};
    assert.deepEqual({ limit, current, maximum }, { limit: 'reservations.max', current: 1, maximum: 1 }, 'the refusal explains itself (field 100)');
  }
}

async function deniedPeers(scene: Scene): Promise<void> {
  const [peer, caller, target, other] = await Promise.all([scene.peer(), scene.peer(), scene.peer({ stop: stopOk() }), scene.peer()]);
  const named = (one: RawPeer): string[] => [one.peerId.toString()];
  const relay = await scene.relay({ deny: { reserve: named(peer), connect: named(caller), target: named(target) } });
  await Promise.all([peer, caller, target, other].map((one) => one.connect(relay.addr)));
  assertRefused(await peer.reserve(), PERMISSION_DENIED, 'RESERVE of a peer that may not');
  const reachable = await scene.reservedAt(relay, { stop: stopOk() });
  await target.reserved();
  assertRefused((await caller.connectTo(reachable)).reply, PERMISSION_DENIED, 'CONNECT of a peer that may not');
  assertRefused((await other.connectTo(target)).reply, PERMISSION_DENIED, 'CONNECT to a peer to which nobody may');
  await openCircuit(other, reachable);
}

function assertRefused(reply: HopMessage, status: number | number[], what: string): void {
  assertStatus(reply, status, what);
  assert.equal(reply.reservation, undefined, `${what}: a refusal with a reservation in it`);
}

/** "Reservation": "it's the responsibility of the client to refresh". */
export async function refreshMovesTheExpiry(scene: Scene): Promise<void> {
  const relay = await scene.relay({ maxReservations: 1, ttlSeconds: 5 });
  const [target, caller] = await Promise.all([scene.peerAt(relay, { stop: stopOk() }), scene.peerAt(relay)]);
  const first = (await target.reserved()).reservation?.expire ?? 0;
  // So much later is the second expiry than the first: in that time the circuit is opened, on a busy machine too.
  await pause(4_000);
  const second = (await target.reserved()).reservation?.expire ?? 0;
  assert.ok(second > first, `a refresh at a full relay moved the expiry from ${first} to ${second}`);
  await assertStoredExpiry(relay, target, second);
  assertStatus(await caller.reserve(), RESERVATION_REFUSED, 'another RESERVE at a full relay');
  // The expiry on the wire may be rounded down by up to a second.
  await untilUnix(first + 1.2);
  await assertCarries(await openCircuit(caller, target), 'a circuit after the first expiry');
}

async function assertStoredExpiry(relay: RelayTarget, peer: RawPeer, expected: number): Promise<void> {
  const stored = (await relay.insight()).expiries?.get(peer.peerId.toString());
  const same = stored === undefined || Math.abs(stored - expected) <= 1;
  assert.ok(same, `the relay's table says ${stored}, the peer was told ${expected}`);
}

/** "Reservation": valid "as long as there is an active connection from the peer to the relay". */
export async function disconnectFreesTheSlot(scene: Scene): Promise<void> {
  const relay = await scene.relay({ maxReservations: 1 });
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => scene.peerAt(relay)));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await first.reserved();
  await first.disconnect('close');
  await takesTheSlot(second, 'after a connection was closed');
  await second.disconnect('abort');
  await takesTheSlot(third, 'after a connection was dropped');
  await third.disconnect();
  await anotherConnectionKeepsTheSlot(scene, relay);
}

async function anotherConnectionKeepsTheSlot(scene: Scene, relay: RelayTarget): Promise<void> {
  const waiting = await scene.peerAt(relay);
  const peer = await scene.peerAt(relay, { stop: stopOk() });
  await peer.dial(relay.addr);
  await takesTheSlot(peer, 'of a peer with two connections');
  await peer.disconnect();
  await pause(300);
  assertStatus(await waiting.reserve(), RESERVATION_REFUSED, 'RESERVE while the slot is held over a second connection');
  await assertCarries(await openCircuit(waiting, peer), 'a circuit over the second connection');
}

/** As soon as the relay can have noticed, on a busy machine. */
const SLOT_FREE_MS = 4_000;

async function takesTheSlot(peer: RawPeer, what: string): Promise<void> {
  await eventually(async () => (await peer.reserve()).status === OK, SLOT_FREE_MS, `a free slot ${what}`);
}

/** go-libp2p relay.go: neither over a relayed connection. */
export async function relayedConnectionsGetNoService(scene: Scene): Promise<void> {
  for (const limit of ['unlimited', 60] as const) {
    const between = await scene.otherRelay({ durationSeconds: limit, bytesPerDirection: limit === 'unlimited' ? limit : 10_000_000 });
    const relay = await scene.relay({ reachableThrough: between.addr });
    const target = await scene.reservedAt(relay, { stop: stopOk() });
    await eventually(async () => (await between.insight()).reservations === 1, CONNECTED_MS, 'the relay under test to reserve on the other one');
    const peer = await scene.peer({ circuit: true });
    const relayed = await peer.dial(`${between.addr}/p2p-circuit/p2p/${relay.peerId}`);
    const reserve = await peer.hopRaw(frame(encodeHop({ type: HOP_RESERVE })), relayed);
    assertStatus(await reserve.readHop(), PERMISSION_DENIED, `RESERVE over a relayed connection (${limit})`);
    const connect = await peer.hopRaw(frame(encodeHop({ type: HOP_CONNECT, peer: { id: target.id, addrs: [] } })), relayed);
    assertStatus(await connect.readHop(), PERMISSION_DENIED, `CONNECT over a relayed connection (${limit})`);
  }
}

/** A HOP stream carries one request: after its answer there is nothing more to come. */
export async function streamClosesAfterTheAnswer(scene: Scene): Promise<void> {
  const target = await scene.peer();
  const relay = await scene.relay({ maxReservations: 1 });
  const peer = await scene.peerAt(relay);
  await target.connect(relay.addr);
  const answered = async (what: string, request: Uint8Array, status: number | number[], from: RawPeer): Promise<void> => {
    const stream = await from.hopRaw(frame(request));
    assertStatus(await stream.readHop(), status, what);
    const end = await stream.ended();
    assert.equal(end, 'eof', `${what}: the end of the stream after the answer was ${end}`);
  };
  await answered('RESERVE', encodeHop({ type: HOP_RESERVE }), OK, peer);
  await answered('RESERVE at a full relay', encodeHop({ type: HOP_RESERVE }), RESERVATION_REFUSED, target);
  await answered('CONNECT to a stranger', encodeHop({ type: HOP_CONNECT, peer: { id: target.id, addrs: [] } }), NO_RESERVATION, peer);
  await answered('CONNECT to nobody', encodeHop({ type: HOP_CONNECT }), [400], peer);
  await answered('STATUS', encodeHop({ type: HOP_STATUS, status: OK }), [400, 401], peer);
  await answered('CONNECT to a peer without STOP', encodeHop({ type: HOP_CONNECT, peer: { id: peer.id, addrs: [] } }), [203, 400], target);
}

/** "Reservation": "The reservation becomes invalid after this time". */
export async function expiredReservationIsGone(scene: Scene): Promise<void> {
  const relay = await scene.relay({ ttlSeconds: 3, maxReservations: 1 });
  const [target, caller] = await Promise.all([scene.peerAt(relay, { stop: stopOk() }), scene.peerAt(relay)]);
  const { reservation } = await target.reserved();
  await openCircuit(caller, target);
  assertStatus(await caller.reserve(), RESERVATION_REFUSED, 'RESERVE while the only slot is held');
  await untilUnix((reservation?.expire ?? 0) + 1.5);
  assertStatus((await caller.connectTo(target)).reply, NO_RESERVATION, 'CONNECT after the expiry');
  assert.equal(target.stopsWaiting, 0, 'the target was asked all the same');
  assertStatus(await caller.reserve(), OK, 'RESERVE when the only slot has expired');
}

/** "A keeps the connection to R alive for the duration of the reservation": so must the relay. */
export async function reservedPeersAreNotTrimmed(scene: Scene): Promise<void> {
  const relay = await scene.relay({ connections: { low: 4, high: 6 } });
  const before = await Promise.all([scene.peerAt(relay), scene.peerAt(relay)]);
  const reserved = await Promise.all([1, 2].map(() => scene.reservedAt(relay, { stop: stopOk() })));
  const crowd = [...before, ...(await Promise.all([1, 2, 3, 4, 5].map(() => scene.peer())))];
  for (const peer of crowd.slice(2)) await peer.connect(relay.addr).catch(() => {});
  const open = (peers: RawPeer[]): number => peers.filter((peer) => peer.node.getConnections().length > 0).length;
  await eventually(() => open(crowd) + open(reserved) <= 6, CONNECTED_MS, 'the relay to trim its connections');
  assert.equal(open(reserved), reserved.length, 'a peer with a reservation was trimmed');
  const [one, other] = reserved;
  assert.ok(one !== undefined && other !== undefined);
  await assertCarries(await openCircuit(one, other), 'a circuit between the two that hold reservations');
}
