import assert from 'node:assert/strict';
import { stopOk } from './peer.ts';
import type { RawPeer } from './peer.ts';
import { ANSWER_MS } from './raw-stream.ts';
import type { RawStream } from './raw-stream.ts';
import type { Scene } from './scene.ts';
import type { RelayTarget } from './targets.ts';
import { eventually } from './waiting.ts';
import { OK } from './wire.ts';
import type { HopMessage } from './wire.ts';

/** Steps that several cases take. */

/** One relayed connection, seen from both ends. */
export interface Circuit {
  source: RawPeer;
  target: RawPeer;
  /** The source's end: its HOP stream. */
  hop: RawStream;
  /** The target's end: the STOP stream that the relay opened to it. */
  stop: RawStream;
  reply: HopMessage;
}

/** A circuit between two new peers. */
export async function newCircuit(scene: Scene, relay: RelayTarget): Promise<Circuit> {
  const target = await scene.reservedAt(relay, { stop: stopOk() });
  const source = await scene.peerAt(relay);
  return openCircuit(source, target);
}

/** A further circuit between these two; the target answers STOP with OK. */
export async function openCircuit(source: RawPeer, target: RawPeer): Promise<Circuit> {
  const { reply, stream } = await source.connectTo(target);
  assertStatus(reply, OK, 'CONNECT to a peer with a reservation');
  const { stream: stop } = await target.nextStop();
  return { source, target, hop: stream, stop, reply };
}

export function assertStatus(reply: HopMessage, expected: number | readonly number[], what: string): void {
  const wanted = [expected].flat();
  assert.ok(wanted.includes(reply.status ?? -1), `${what}: answered with ${reply.status}, not ${wanted.join(' or ')}`);
}

/** Bytes that no other offset has, so that loss, repetition and reordering show. */
export function pattern(length: number, seed = 0): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + seed * 7_919 + 1, 2_654_435_761);
  return new Uint8Array(words.buffer, 0, length);
}

export function assertSame(actual: Uint8Array, expected: Uint8Array, what: string): void {
  const same = Buffer.compare(actual, expected) === 0;
  assert.ok(same, `${what}: ${actual.length} bytes came that are not the ${expected.length} that were sent`);
}

/** Bytes pass through a circuit, in both directions. */
export async function assertCarries(circuit: Circuit, what: string, ms = ANSWER_MS): Promise<void> {
  const there = pattern(1_000, 1);
  const back = pattern(1_000, 2);
  circuit.hop.send(there);
  assertSame(await circuit.stop.read(there.length, ms), there, `${what}, to the target`);
  circuit.stop.send(back);
  assertSame(await circuit.hop.read(back.length, ms), back, `${what}, to the source`);
}

/** Both ends of a circuit see a reset. */
export async function assertBothReset(circuit: Circuit, ms: number, what: string): Promise<void> {
  const [source, target] = await Promise.all([circuit.hop.ended(ms), circuit.stop.ended(ms)]);
  const both = source === 'reset' && target === 'reset';
  assert.ok(both, `${what}: the source's stream ended by ${source}, the target's by ${target}`);
}

/** Streams and circuits go back to these counts, where the relay tells them. */
export async function assertNothingLeft(relay: RelayTarget, before: { circuits?: number; streams?: number }, ms = 15_000): Promise<void> {
  const wanted = { circuits: before.circuits ?? 0, streams: before.streams ?? 0 };
  let seen = '';
  await eventually(
    async () => {
      const now = await relay.insight();
      seen = `${now.circuits} circuits and ${now.streams} streams`;
      return (now.circuits ?? 0) <= wanted.circuits && (now.streams ?? 0) <= wanted.streams;
    },
    ms,
    'the relay to forget what is over',
  ).catch((error: unknown) => {
    throw new Error(`${seen} are left, ${wanted.circuits} and ${wanted.streams} were there before`, { cause: error });
  });
}
