import assert from 'node:assert/strict';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Connection } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { FakeRelay, grantWithVoucher, grantWithoutVoucher, refuseWith } from '../fake-relay.ts';
import { openStream, stopAnswer, stopClose, stopInTurn, stopOk, stopRefuse, stopReset, stopSilent } from '../peer.ts';
import type { RawPeer, StopScript } from '../peer.ts';
import { ANSWER_MS } from '../raw-stream.ts';
import { field, join, varint } from '../protobuf.ts';
import type { Scene } from '../scene.ts';
import { assertCarries, assertNothingLeft, assertSame, assertStatus, openCircuit, pattern } from '../steps.ts';
import { startSilentServer } from '../tcp-server.ts';
import type { RelayTarget } from '../targets.ts';
import { CONNECTED_MS, eventually, pause } from '../waiting.ts';
import { CONNECTION_FAILED, MALFORMED_MESSAGE, NO_RESERVATION, OK, PERMISSION_DENIED, RESOURCE_LIMIT_EXCEEDED, UNEXPECTED_MESSAGE } from '../wire.ts';
import { HOP_CONNECT, HOP_RESERVE, HOP_STATUS, STOP, STOP_CONNECT, STOP_STATUS, encodeHop, encodeStop, frame, idBytes } from '../wire.ts';
import type { StopMessage } from '../wire.ts';

/** Section references are to libp2p/specs, relay/circuit-v2.md. */

/** "Connection Initiation": NO_RESERVATION "if there is no active reservation for the target peer". */
export async function noReservation(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const caller = await scene.peerAt(relay);
  assertStatus((await caller.connectTo({ id: await strangerId() })).reply, NO_RESERVATION, 'CONNECT to a peer that was never there');
  const target = await scene.peerAt(relay, { stop: stopOk() });
  assertStatus((await caller.connectTo(target)).reply, NO_RESERVATION, 'CONNECT to a peer that did not reserve');
  await target.reserved();
  await openCircuit(caller, target);
  await target.disconnect();
  await eventually(async () => (await caller.connectTo(target)).reply.status === NO_RESERVATION, ANSWER_MS, '204 for a peer that left');
}

/** "Connection Initiation": `peer` names the target. */
export async function badPeer(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const caller = await scene.peerAt(relay);
  const bad: Record<string, Uint8Array> = {
    'no peer': field(1, HOP_CONNECT),
    'a peer without an id': join(field(1, HOP_CONNECT), field(2, field(2, pattern(8)))),
    'an empty id': encodeHop({ type: HOP_CONNECT, peer: { id: new Uint8Array(), addrs: [] } }),
    'an id of random bytes': encodeHop({ type: HOP_CONNECT, peer: { id: pattern(34), addrs: [] } }),
    'a truncated id': encodeHop({ type: HOP_CONNECT, peer: { id: caller.id.subarray(0, 20), addrs: [] } }),
  };
  for (const [name, request] of Object.entries(bad)) {
    const stream = await caller.hopRaw(frame(request));
    assertStatus(await stream.readHop(), MALFORMED_MESSAGE, `CONNECT with ${name}`);
  }
}

/** "Hop Protocol": a request is RESERVE or CONNECT. Both sides. */
export async function statusAsRequest(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const peer = await scene.peerAt(relay);
  const stream = await peer.hopRaw(frame(encodeHop({ type: HOP_STATUS, status: OK })));
  assertStatus(await stream.readHop(), UNEXPECTED_MESSAGE, 'STATUS as a request');
  await clientTakesEitherCode(scene);
}

/** go-libp2p's relay answers 400 where this one answers 401: to a client both are a refusal, and it goes on. */
async function clientTakesEitherCode(scene: Scene): Promise<void> {
  const refusing = await Promise.all([MALFORMED_MESSAGE, UNEXPECTED_MESSAGE].map((status) => FakeRelay.start(scene, refuseWith(status))));
  const good = await FakeRelay.start(scene, grantWithVoucher);
  const client = await scene.client({ relays: [...refusing, good].map(({ addr }) => addr) });
  await eventually(() => refusing.every(({ requests }) => requests > 0), CONNECTED_MS, 'the client to ask the relays that refuse');
  await eventually(async () => (await client.holds()).length > 0, CONNECTED_MS, 'the client to hold the reservation that it was granted');
  assert.deepEqual(await client.holds(), [good.peer.peerId.toString()]);
}

/** What a stream may be sent that is no request, and how the sender goes on. */
interface Garbage {
  bytes: Uint8Array;
  then?: 'close' | 'reset';
}

const GARBAGE: Record<string, Garbage> = {
  'an empty frame': { bytes: Uint8Array.of(0) },
  'random bytes in a frame': { bytes: frame(pattern(200, 5)) },
  'random bytes': { bytes: Uint8Array.from(pattern(300, 6), (byte) => byte | 0x80) },
  'a varint that does not end': { bytes: new Uint8Array(64).fill(0xff) },
  'a length over 64 bits': { bytes: join(new Uint8Array(9).fill(0xff), Uint8Array.of(0x7f)) },
  'a type that is a string': { bytes: frame(field(1, pattern(3))) },
  'a type that nobody has': { bytes: frame(field(1, 7)) },
  'no type': { bytes: frame(field(5, OK)) },
  'a field that goes past the end': { bytes: frame(join(field(1, HOP_CONNECT), Uint8Array.of(0x12, 0x7f, 1, 2))) },
  'a field number of 0': { bytes: frame(Uint8Array.of(0x00, 0x00, 0x08, 0x00)) },
  'a group': { bytes: frame(Uint8Array.of(0x0b, 0x08, 0x00, 0x0c)) },
  'a nested message that is cut off': { bytes: frame(join(field(1, HOP_CONNECT), field(2, Uint8Array.of(0x0a, 0x26, 1)))) },
  'a body that is cut off': { bytes: frame(encodeHop({ type: HOP_RESERVE })).subarray(0, 2), then: 'close' },
  'a length that is cut off': { bytes: Uint8Array.of(0x80), then: 'close' },
  'a reset in a body': { bytes: Uint8Array.of(0x20, 0x08), then: 'reset' },
  'a reset before a byte': { bytes: new Uint8Array(), then: 'reset' },
};

/** Nothing that a peer writes harms the relay, or stays with it. */
export async function garbage(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const peer = await scene.peerAt(relay);
  const target = await scene.reservedAt(relay, { stop: stopOk() });
  const before = await relay.insight();
  for (const [name, one] of Object.entries(GARBAGE)) await assertRejected(await peer.hop(), name, one);
  const leaving = await scene.peerAt(relay);
  await leaving.hopRaw(Uint8Array.of(0x20, 0x08));
  await leaving.disconnect('abort');
  await assertNothingLeft(relay, before);
  assert.equal((await relay.insight()).reservations ?? 1, 1, 'garbage that reserved something');
  await assertCarries(await openCircuit(peer, target), 'a circuit after all the garbage');
}

async function assertRejected(stream: Awaited<ReturnType<typeof openStream>>, name: string, one: Garbage): Promise<void> {
  if (one.bytes.length > 0) stream.send(one.bytes);
  if (one.then === 'reset') {
    stream.reset();
    return;
  }
  if (one.then === 'close') await stream.closeWrite();
  const { status, end } = await outcome(stream, name);
  if (end !== 'reset') {
    // STATUS is a type that exists and is not a request; one that nobody has may be taken for the same.
    const wanted = name === 'a type that nobody has' ? [MALFORMED_MESSAGE, UNEXPECTED_MESSAGE] : [MALFORMED_MESSAGE];
    assertStatus({ status }, wanted, name);
    await stream.closeWrite();
  }
}

async function outcome(stream: Awaited<ReturnType<typeof openStream>>, name: string): Promise<{ status?: number; end?: string }> {
  try {
    const { status } = await stream.readHop();
    return { status };
  } catch (error) {
    if (stream.end === undefined) throw new Error(`${name}: neither an answer nor a reset`, { cause: error });
    return { end: stream.end };
  }
}

/** go-libp2p and rust-libp2p: at most 4096 bytes, judged by the length in front. */
export async function longFrames(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const peer = await scene.peerAt(relay);
  const longest = join(encodeHop({ type: HOP_RESERVE }), field(15, pattern(4_091)));
  assert.equal(longest.length, 4_096);
  assertStatus(await (await peer.hopRaw(frame(longest))).readHop(), OK, 'a frame of 4096 bytes, a field that nobody knows in it');
  for (const length of [4_097, 2 ** 20, 2 ** 40]) {
    const stream = await peer.hopRaw(varint(length));
    const { status, end } = await outcome(stream, `the length ${length} without a body`);
    if (end !== 'reset') assertStatus({ status }, MALFORMED_MESSAGE, `the length ${length} without a body`);
  }
}

/** "Connection Initiation": the relay has no reservation with itself; a circuit to oneself is none. */
export async function selfConnect(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const peer = await scene.reservedAt(relay, { stop: stopOk() });
  const toRelay = await peer.connectTo({ id: idBytes(relay.peerId) });
  assertStatus(toRelay.reply, NO_RESERVATION, 'CONNECT to the relay itself');
  const { reply } = await peer.connectTo(peer);
  assert.notEqual(reply.status, OK, 'CONNECT to oneself was accepted');
  assert.equal(peer.stopsWaiting, 0, 'CONNECT to oneself reached the peer as STOP');
}

/** "Connection Initiation": CONNECTION_FAILED "if the relay failed to terminate the connection to the target". */
export async function noStopProtocol(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const before = await relay.insight();
  const target = await scene.reservedAt(relay);
  const caller = await scene.peerAt(relay);
  assertStatus((await caller.connectTo(target)).reply, CONNECTION_FAILED, 'CONNECT to a peer without STOP');
  await assertNothingLeft(relay, { circuits: before.circuits, streams: Infinity });
}

/** "Stop Protocol": any status but OK is a refusal; the initiator is told CONNECTION_FAILED. */
export async function stopRefused(scene: Scene): Promise<void> {
  const statuses = [200, 201, 202, 203, 204, 400, 401, 0, 99];
  const withoutStatus = stopAnswer(frame(encodeStop({ type: STOP_STATUS })));
  await assertEachFails(scene, { ...Object.fromEntries(statuses.map((status) => [`status ${status}`, stopRefuse(status)])), 'no status': withoutStatus });
}

/** "Stop Protocol": the answer is STATUS; anything else is none. */
export async function stopAnsweredWrongly(scene: Scene): Promise<void> {
  const answer = (message: StopMessage): StopScript => stopAnswer(frame(encodeStop(message)));
  await assertEachFails(scene, {
    'CONNECT with OK': answer({ type: STOP_CONNECT, status: OK }),
    'no type, with OK': answer({ status: OK }),
    'a type that nobody has, with OK': answer({ type: 7, status: OK }),
    'an empty frame': stopAnswer(Uint8Array.of(0)),
    'random bytes': stopAnswer(frame(pattern(100, 9))),
    'a frame of 1 MiB': stopAnswer(varint(2 ** 20)),
    'the end of the stream': stopClose,
    'a reset': stopReset,
  });
}

/** CONNECT to a target that answers STOP by each of these in turn is 203 each time, and leaves nothing behind. */
async function assertEachFails(scene: Scene, scripts: Record<string, StopScript>): Promise<void> {
  const relay = await scene.relay();
  const target = await scene.reservedAt(relay, { stop: stopInTurn(...Object.values(scripts), stopOk()) });
  const caller = await scene.peerAt(relay);
  const before = await relay.insight();
  for (const name of Object.keys(scripts)) {
    const { reply, stream } = await caller.connectTo(target);
    assertStatus(reply, CONNECTION_FAILED, `STOP answered with ${name}`);
    await stream.closeWrite().catch(() => {});
    const { stream: stop } = await target.nextStop();
    assert.notEqual(await stop.ended(), 'timeout', `STOP answered with ${name}: the relay keeps the stream`);
  }
  await assertNothingLeft(relay, { circuits: before.circuits, streams: Infinity });
  await assertCarries(await openCircuit(caller, target), 'a circuit after the failed ones');
}

/** The relay waits for the target, but not for ever. */
export async function stopSilence(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const target = await scene.reservedAt(relay, { stop: stopSilent });
  const caller = await scene.peerAt(relay);
  const before = await relay.insight();
  const { reply, stream } = await caller.connectTo(target, { ms: 10_000 + ANSWER_MS });
  assertStatus(reply, CONNECTION_FAILED, 'STOP that is not answered');
  await stream.closeWrite().catch(() => {});
  assert.notEqual(await (await target.nextStop()).stream.ended(), 'timeout', 'the relay keeps the STOP stream that was not answered');
  await assertNothingLeft(relay, before);
}

/** "Connection Initiation": RESOURCE_LIMIT_EXCEEDED for too many circuits "from the initiator or to the target". */
export async function circuitCaps(scene: Scene): Promise<void> {
  await capOf(scene, await scene.relay({ circuitsPerSource: 1 }), { sameSource: true, sameTarget: false });
  await capOf(scene, await scene.relay({ circuitsPerTarget: 1 }), { sameSource: false, sameTarget: true });
  await capOf(scene, await scene.relay({ maxCircuits: 1 }), { sameSource: false, sameTarget: false });
}

/** A second circuit that the cap forbids, one between other peers that it does not, and the first one's end, which makes room. */
async function capOf(scene: Scene, relay: RelayTarget, second: { sameSource: boolean; sameTarget: boolean }): Promise<void> {
  const [source, otherSource] = await Promise.all([scene.peerAt(relay), scene.peerAt(relay)]);
  const [target, otherTarget] = await Promise.all([scene.reservedAt(relay, { stop: stopOk() }), scene.reservedAt(relay, { stop: stopOk() })]);
  const first = await openCircuit(source, target);
  const caller = second.sameSource ? source : otherSource;
  const callee = second.sameTarget ? target : otherTarget;
  const what = `a second circuit (${second.sameSource ? 'same' : 'other'} source, ${second.sameTarget ? 'same' : 'other'} target)`;
  assertStatus((await caller.connectTo(callee)).reply, RESOURCE_LIMIT_EXCEEDED, what);
  if (second.sameSource || second.sameTarget) (await openCircuit(otherSource, otherTarget)).hop.reset();
  first.hop.reset();
  await eventually(async () => (await caller.connectTo(callee)).reply.status === OK, ANSWER_MS, `${what}, after the first one's end`);
}

/** "Connection Initiation": active relaying is "considered deprecated for security reasons". */
export async function addressesAreNotDialled(scene: Scene): Promise<void> {
  const server = await scene.own(startSilentServer());
  const relay = await scene.relay();
  const caller = await scene.peerAt(relay);
  const reserved = await scene.reservedAt(relay, { stop: stopOk() });
  const gone = await scene.reservedAt(relay, { stop: stopOk() });
  await gone.disconnect();
  const options = { addrs: [server.addr] };
  assertStatus((await caller.connectTo({ id: await strangerId() }, options)).reply, NO_RESERVATION, 'CONNECT to a stranger whose address is told');
  await caller.connectTo(gone, options);
  assertStatus((await caller.connectTo(reserved, options)).reply, OK, 'CONNECT with an address');
  await pause(800);
  assert.equal(server.connections, 0, 'the relay dialled an address that a peer named');
}

/** "Interaction": the relay uses the connection that the reservation came over, which is never a relayed one. */
export async function relayedConnectionIsNotUsed(scene: Scene): Promise<void> {
  const between = await scene.otherRelay({ durationSeconds: 'unlimited', bytesPerDirection: 'unlimited' });
  const relay = await scene.relay({ reachableThrough: between.addr });
  await eventually(async () => (await between.insight()).reservations === 1, CONNECTED_MS, 'the relay under test to reserve on the other one');
  const relayedAddr = `${between.addr}/p2p-circuit/p2p/${relay.peerId}`;
  for (const order of ['the relayed one first', 'the direct one first']) {
    const target = await scene.peer({ stop: stopOk(), circuit: true });
    if (order === 'the relayed one first') await target.dial(relayedAddr);
    await target.connect(relay.addr);
    if (order === 'the direct one first') await target.dial(relayedAddr);
    await target.reserved();
    await assertReachedDirectly(await scene.peerAt(relay), target, `a peer with two connections, ${order}`);
  }
}

async function assertReachedDirectly(caller: RawPeer, target: RawPeer, what: string): Promise<void> {
  assertStatus((await caller.connectTo(target)).reply, OK, `CONNECT to ${what}`);
  const over = (await target.nextStop()).connection.remoteAddr.toString();
  assert.ok(!over.includes('/p2p-circuit'), `STOP to ${what} came over ${over}`);
  await target.disconnect();
  const refused = async (): Promise<boolean> => (await caller.connectTo(target)).reply.status === NO_RESERVATION;
  await eventually(refused, ANSWER_MS, `204 for ${what}, when only the relayed one is left`);
}

/** A peer may send before the answer is there: the stream is the circuit from the request on. */
export async function earlyBytesArrive(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const [behindRequest, later, behindAnswer] = [pattern(2_500, 1), pattern(20_000, 2), pattern(3_000, 3)];
  const answer = stopOk(behindAnswer);
  const target = await scene.reservedAt(relay, {
    stop: async (stop) => {
      await pause(200);
      await answer(stop);
    },
  });
  const caller = await scene.peerAt(relay);
  const request = encodeHop({ type: HOP_CONNECT, peer: { id: target.id, addrs: [] } });
  const stream = await caller.hopRaw(join(frame(request), behindRequest));
  stream.send(later);
  assertStatus(await stream.readHop(), OK, 'CONNECT with bytes behind it');
  const { stream: stop } = await target.nextStop();
  assertSame(await stop.read(22_500), join(behindRequest, later), 'bytes behind CONNECT');
  assertSame(await stream.read(3_000), behindAnswer, "bytes behind the target's answer");
}

/** "Stop Protocol", the target's side: our client. */
export async function stopSideRefuses(scene: Scene): Promise<void> {
  const relay = await FakeRelay.start(scene, grantWithoutVoucher);
  const client = await scene.client({ relays: [relay.addr] });
  await eventually(() => relay.requests > 0, CONNECTED_MS, 'the client to ask for a reservation');
  const connection = await relay.client(client.peerId);
  const good: StopMessage = { type: STOP_CONNECT, peer: { id: await strangerId(), addrs: [] } };
  const asked: [string, StopMessage, number][] = [
    ['a request as it should be', good, OK],
    ['no peer', { type: STOP_CONNECT }, MALFORMED_MESSAGE],
    ['a peer that is none', { type: STOP_CONNECT, peer: { id: pattern(20), addrs: [] } }, MALFORMED_MESSAGE],
    ['STATUS', { type: STOP_STATUS, status: OK }, UNEXPECTED_MESSAGE],
  ];
  for (const [what, message, status] of asked) await assertStopAnswer(connection, message, status, what);

  const other = await FakeRelay.start(scene, grantWithoutVoucher);
  const picky = await scene.client({ relays: [other.addr], refuseRelayed: true });
  await assertStopAnswer(await other.client(picky.peerId), good, PERMISSION_DENIED, 'a peer that the gater refuses');
}

/** How a client answers a STOP request; after a refusal the stream must end. */
async function assertStopAnswer(connection: Connection, message: StopMessage, expected: number, what: string): Promise<void> {
  const stream = await openStream(connection, STOP);
  stream.send(frame(encodeStop(message)));
  const { type, status } = await stream.readStop().catch((error: unknown) => {
    throw new Error(`STOP with ${what}: ${error instanceof Error ? error.message : String(error)}`);
  });
  assert.deepEqual({ type, status }, { type: STOP_STATUS, status: expected }, `the answer to STOP with ${what}`);
  if (status === OK) stream.reset();
  else assert.notEqual(await stream.ended(), 'timeout', `STOP with ${what}: the stream stays open after the refusal`);
}

async function strangerId(): Promise<Uint8Array> {
  return idBytes(peerIdFromPrivateKey(await generateKeyPair('Ed25519')));
}
