import assert from 'node:assert/strict';
import { stopOk } from '../peer.ts';
import { ANSWER_MS } from '../raw-stream.ts';
import type { RawStream } from '../raw-stream.ts';
import type { Scene } from '../scene.ts';
import { assertBothReset, assertCarries, assertNothingLeft, assertSame, assertStatus, newCircuit, openCircuit, pattern } from '../steps.ts';
import type { Circuit } from '../steps.ts';
import type { RelayTarget } from '../targets.ts';
import { eventually, pause, untilUnix } from '../waiting.ts';
import { HOP_RESERVE, OK, encodeHop, frame } from '../wire.ts';

/** Section references are to libp2p/specs, relay/circuit-v2.md. */

const LIMIT = 65_536;

/** "Reservation", `limit.data`: "bytes allowed to be transmitted in each direction". */
export async function bytesAreCountedEachWay(scene: Scene): Promise<void> {
  const relay = await scene.relay({ bytesPerDirection: LIMIT });
  const circuit = await newCircuit(scene, relay);
  await passes(circuit.hop, circuit.stop, 'the whole limit to the target');
  await passes(circuit.stop, circuit.hop, 'the whole limit to the source');
  await pause(300);
  assert.deepEqual([circuit.hop.end, circuit.stop.end], [undefined, undefined], 'a circuit that moved its limit and no byte more is over');
  await oneByteMore(circuit.hop, circuit.stop, circuit);

  const other = await openCircuit(circuit.source, circuit.target);
  await passes(other.stop, other.hop, 'the whole limit to the source');
  await oneByteMore(other.stop, other.hop, other);
}

async function passes(from: RawStream, to: RawStream, what: string): Promise<void> {
  const bytes = pattern(LIMIT);
  await from.pump(bytes);
  assertSame(await to.read(LIMIT), bytes, what);
}

async function oneByteMore(from: RawStream, to: RawStream, circuit: Circuit): Promise<void> {
  from.send(Uint8Array.of(1));
  const ends = await Promise.all([circuit.hop.ended(), circuit.stop.ended()]);
  assert.ok(!ends.includes('timeout'), `a byte over the limit, and the streams ended by ${ends.join(' and ')}`);
  assert.equal(to.unread, 0, 'a byte over the limit was passed on');
}

/** A circuit over its limit is cut, so that no half of it is taken for the whole. */
export async function overTheLimitIsReset(scene: Scene): Promise<void> {
  const relay = await scene.relay({ bytesPerDirection: LIMIT });
  const before = await relay.insight();
  const circuit = await newCircuit(scene, relay);
  const again = await openCircuit(circuit.source, circuit.target);
  circuit.hop.send(pattern(LIMIT + 10_000));
  await assertBothReset(circuit, ANSWER_MS, 'over the limit to the target');
  assert.ok(circuit.stop.unread <= LIMIT, `${circuit.stop.unread} bytes of ${LIMIT} were passed on`);
  again.stop.send(pattern(LIMIT + 10_000));
  await assertBothReset(again, ANSWER_MS, 'over the limit to the source');
  assert.ok(again.hop.unread <= LIMIT, `${again.hop.unread} bytes of ${LIMIT} were passed on`);
  await assertNothingLeft(relay, { circuits: before.circuits, streams: Infinity });
}

/** "Reservation", `limit.duration`: "the maximum duration of a relayed connection in seconds". */
export async function durationIsEnforced(scene: Scene): Promise<void> {
  const relay = await scene.relay({ durationSeconds: DURATION_S });
  await cutInTime(scene, relay, 'a circuit');
  await relay.restart();
  await cutInTime(scene, relay, 'a circuit after the service was stopped and started');
}

/** Long enough that a busy machine carries some bytes in what is left of it after {@link WITHIN_MS}. */
const DURATION_S = 4;
const WITHIN_MS = 1_300;

async function cutInTime(scene: Scene, relay: RelayTarget, what: string): Promise<void> {
  // Before its time begins: the machine may stand still between the two.
  const started = performance.now();
  const circuit = await newCircuit(scene, relay);
  await pause(WITHIN_MS);
  await assertCarries(circuit, `${what}, within its time`);
  await assertBothReset(circuit, DURATION_S * 1_000 + ANSWER_MS, what);
  const lasted = performance.now() - started;
  assert.ok(lasted > DURATION_S * 1_000 - 300, `${what} of ${DURATION_S} s was cut after ${Math.round(lasted)} ms`);
}

/** A circuit is a stream: the end of one direction is not the end of the other. */
export async function halfCloseIsPassedOn(scene: Scene): Promise<void> {
  const relay = await scene.relay({ durationSeconds: 'unlimited', bytesPerDirection: 'unlimited' });
  const before = await relay.insight();
  const one = await newCircuit(scene, relay);
  await asksAndIsAnswered(one.hop, one.stop, 'the source closes first');
  const other = await openCircuit(one.source, one.target);
  await asksAndIsAnswered(other.stop, other.hop, 'the target closes first');
  await assertNothingLeft(relay, { circuits: before.circuits, streams: Infinity });
}

async function asksAndIsAnswered(asker: RawStream, answerer: RawStream, what: string): Promise<void> {
  const [question, answer] = [pattern(100_000, 4), pattern(700_000, 5)];
  await asker.pump(question);
  await asker.closeWrite();
  const heard = await answerer.readToEnd();
  assert.equal(heard.end, 'eof', `${what}: the question ended by ${heard.end}`);
  assertSame(heard.bytes, question, `${what}: the question`);
  await pause(200);
  await answerer.pump(answer);
  await answerer.closeWrite();
  const got = await asker.readToEnd();
  assert.equal(got.end, 'eof', `${what}: the answer ended by ${got.end}`);
  assertSame(got.bytes, answer, `${what}: the answer`);
}

/** A circuit is a stream: a reset is not an end. */
export async function resetIsPassedOn(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const before = await relay.insight();
  const one = await newCircuit(scene, relay);
  const others = [await openCircuit(one.source, one.target), await openCircuit(one.source, one.target)] as const;
  one.hop.reset();
  assert.equal(await one.stop.ended(), 'reset', 'the target, after the source reset');
  others[0].stop.reset();
  assert.equal(await others[0].hop.ended(), 'reset', 'the source, after the target reset');
  await one.source.disconnect('abort');
  assert.equal(await others[1].stop.ended(), 'reset', 'the target, after the source lost its connection');
  await assertNothingLeft(relay, { circuits: before.circuits, streams: Infinity });
}

/** More than the windows and buffers of a path should hold, and the most that they may. */
const MUCH = 8 * 1024 * 1024;
const BOUND = 2 * 1024 * 1024;

/** What is not read is not taken: the relay holds a bounded part of it. */
export async function pausedReaderStopsTheSender(scene: Scene): Promise<void> {
  const relay = await scene.relay({ durationSeconds: 'unlimited', bytesPerDirection: 'unlimited' });
  const circuit = await newCircuit(scene, relay);
  const backward = await openCircuit(circuit.source, circuit.target);
  await Promise.all([stalls(circuit, circuit.hop, circuit.stop, 'to the target'), stalls(backward, backward.stop, backward.hop, 'to the source')]);
}

async function stalls(circuit: Circuit, from: RawStream, to: RawStream, what: string): Promise<void> {
  await assertCarries(circuit, `before the pause, ${what}`);
  to.pause();
  const bytes = pattern(MUCH, 6);
  const { given, taken } = await from.pump(bytes);
  assert.ok(taken <= BOUND, `${taken} bytes ${what} were taken while the reader read nothing`);
  const back = pattern(1_000, 7);
  to.send(back);
  assertSame(await from.read(back.length), back, `the other direction, while the one ${what} stands`);
  to.resume();
  await from.pump(bytes.subarray(given));
  assertSame(await to.read(MUCH, 10_000), bytes, `all bytes ${what}, after the pause`);
}

/** What a relay gives the first frame, and a coarse timer on top. */
const FIRST_FRAME_MS = 5_500;

/** A stream that asks for nothing costs something: the first frame has 5 s. */
export async function idleStreamsAreEnded(scene: Scene): Promise<void> {
  const relay = await scene.relay();
  const peer = await scene.peerAt(relay);
  const patient = await peer.hop();
  const [silent, half, dripping] = [await peer.hop(), await peer.hopRaw(Uint8Array.of(0x7f, 0x08)), await peer.hopRaw(Uint8Array.of(0x7f))];
  const started = performance.now();
  const drip = setInterval(() => dripping.stream.status === 'open' && dripping.send(Uint8Array.of(0)), 400);
  try {
    const slow = pause(1_500).then(() => patient.send(frame(encodeHop({ type: HOP_RESERVE }))));
    await slow;
    assertStatus(await patient.readHop(), OK, 'RESERVE a second and a half after its stream was opened');
    const left = FIRST_FRAME_MS + ANSWER_MS - (performance.now() - started);
    const ends = await Promise.all([silent, half, dripping].map((stream) => stream.ended(left)));
    assert.ok(!ends.includes('timeout'), `a silent stream, one that stopped and one that drips ended by: ${ends.join(', ')}`);
  } finally {
    clearInterval(drip);
  }
}

/** "Reservation": the reservation is for new circuits; a circuit has limits of its own. */
export async function expiryDoesNotCutCircuits(scene: Scene): Promise<void> {
  const relay = await scene.relay({ ttlSeconds: 3, durationSeconds: 60 });
  const [target, source] = await Promise.all([scene.peerAt(relay, { stop: stopOk() }), scene.peerAt(relay)]);
  const expire = (await target.reserved()).reservation?.expire ?? 0;
  const circuit = await openCircuit(source, target);
  await untilUnix(expire + 1.5);
  await assertCarries(circuit, 'a circuit, after the reservation expired');
  await eventually(async () => ((await relay.insight()).reservations ?? 0) === 0, ANSWER_MS, 'the reservation to expire');
}
