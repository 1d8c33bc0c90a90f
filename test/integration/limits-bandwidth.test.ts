import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { ByteReader } from '../support/byte-reader.ts';
import { patternBytes, sha256 } from '../support/bytes.ts';
import { assertOk, assertRefused } from '../support/refusals.ts';
import { withRelay } from '../support/relay-under-test.ts';
import type { RelayUnderTest } from '../support/relay-under-test.ts';
import { settled, until } from '../support/waiting.ts';
import type { WirePeer } from '../support/wire-peer.ts';

const KiB = 1024;
const WINDOW = 256 * KiB;
/** Some megabytes, beside what the other tests of this process send, on a machine with too much to do. */
const TRANSFER_MS = 60_000;
const NO_LIMITS = { duration: 'unlimited', bytesPerDirection: 'unlimited', idle: 'unlimited' };
const limits = (set: object): object => ({ relay: { limits: { circuits: NO_LIMITS, ...set } } });

interface Pair {
  near: Stream;
  far: Stream;
}

async function openCircuit(source: WirePeer, target: WirePeer): Promise<Pair> {
  const answer = await source.connectTo(target.peerId);
  assertOk(answer);
  return { near: answer.stream, far: (await target.nextIncoming()).stream };
}

/** Sends `total` bytes from one end of each pair to the other. All must come, whole. Returns seconds. */
async function timeToSend(pairs: readonly Pair[], total: number): Promise<number> {
  const startedAt = performance.now();
  await Promise.all(
    pairs.map(async ({ near, far }, i) => {
      const sent = patternBytes(total, i + 1);
      const reader = new ByteReader(far);
      near.send(sent);
      assert.equal(sha256(await reader.has(total, TRANSFER_MS)), sha256(sent), 'nothing is lost, doubled or moved');
    }),
  );
  return (performance.now() - startedAt) / 1000;
}

/** A shaped transfer cannot be faster than its rate; how much slower it is, is the machine's business. */
const assertTook = (seconds: number, expected: number): void => assert.ok(seconds >= expected * 0.8 && seconds <= expected + 4, `${seconds.toFixed(2)} s, expected about ${expected} s`);

const bufferedBytes = async (relay: RelayUnderTest): Promise<number> => (await relay.counts()).bufferedBytes;

describe('relay.limits.bandwidth', { concurrency: 3 }, () => {
  it('perCircuit: a circuit is slowed to its rate, another has its own', () =>
    withRelay(limits({ bandwidth: { perCircuit: '400KiB/s' } }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const pairs = [await openCircuit(source, target), await openCircuit(source, target)];
      assertTook(await timeToSend(pairs, 600 * KiB), (600 - 100) / 400);
    }));

  it('perPeer: all circuits of a peer share its rate, in both directions', () =>
    withRelay(limits({ bandwidth: { perPeer: '600KiB/s' } }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const [first, second] = [await openCircuit(source, target), await openCircuit(source, target)];
      assertTook(await timeToSend([first, { near: second.far, far: second.near }], 450 * KiB), (900 - 150) / 600);
    }));

  it('total: all circuits share the rate of the class', () =>
    withRelay(limits({ bandwidth: { total: '600KiB/s' } }), async (relay) => {
      const targets = [await relay.reserved(), await relay.reserved()] as const;
      const sources = [await relay.peer(), await relay.peer()] as const;
      const pairs = [await openCircuit(sources[0], targets[0]), await openCircuit(sources[1], targets[1])];
      assertTook(await timeToSend(pairs, 450 * KiB), (900 - 150) / 600);
    }));

  it('slows the sender by backpressure: what waits in the relay stays within a window', () =>
    withRelay(limits({ bandwidth: { perCircuit: '200KiB/s' } }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const { near, far } = await openCircuit(source, target);
      const reader = new ByteReader(far);
      near.send(patternBytes(16 * WINDOW));
      await reader.has(100 * KiB);
      assert.ok(near.writeBufferLength >= 14 * WINDOW, 'the rest has not left the sender');
      assert.ok((await bufferedBytes(relay)) <= WINDOW, 'the relay holds no more than the window that the sender had');
    }));

  it('a half-closed, slowed circuit delivers all of it', () =>
    withRelay(limits({ bandwidth: { perCircuit: '800KiB/s' } }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const { near, far } = await openCircuit(source, target);
      const reader = new ByteReader(far);
      const sent = patternBytes(500 * KiB);
      near.send(sent);
      await Promise.all([near.close(), far.close()]);
      assert.equal(await reader.closed(), 'end');
      assert.equal(sha256(reader.bytes), sha256(sent));
    }));
});

describe('relay.limits.memory', { concurrency: 3 }, () => {
  it('perDirection: a receiver that stops reading stops the sender; the relay holds no more than that', () =>
    withRelay(limits({ memory: { perDirection: '256KiB' } }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const { near, far } = await openCircuit(source, target);
      far.pause();
      const sent = patternBytes(20 * WINDOW);
      near.send(sent);
      await until(async () => (await bufferedBytes(relay)) > 0, 'the circuit to fill up');
      await settled(50);
      let held = 0;
      await until(async () => (held = await bufferedBytes(relay)) > 0 && (await relay.metric('relayd_relay_buffered_bytes{class="public"}')) === held, 'the metric to say the same');
      assert.ok(held <= WINDOW, `${held} bytes are held`);
      assert.ok(near.writeBufferLength >= 17 * WINDOW, 'the sender was stopped');
      const reader = new ByteReader(far);
      far.resume();
      assert.equal(sha256(await reader.has(sent.byteLength, TRANSFER_MS)), sha256(sent));
      await until(async () => (await bufferedBytes(relay)) === 0, 'nothing to be held');
    }));

  it('perDirection: more of it lets a fast circuit have a larger window, and a stalled one hold no more than it', () =>
    withRelay(limits({ memory: { perDirection: '1MiB' } }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const { near, far } = await openCircuit(source, target);
      const reader = new ByteReader(far);
      near.send(patternBytes(8 * WINDOW));
      await reader.has(8 * WINDOW, TRANSFER_MS);
      far.pause();
      near.send(patternBytes(20 * WINDOW));
      await until(async () => (await bufferedBytes(relay)) > 0, 'the circuit to fill up');
      await settled(50);
      const held = await bufferedBytes(relay);
      assert.ok(held <= 1024 * KiB, `${held} bytes are held`);
    }));

  it('total: a circuit that no longer fits beside what is held is not admitted, and the others go on', () =>
    withRelay(limits({ memory: { perDirection: '256KiB', total: '1MiB' } }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const bystander = await openCircuit(source, target);
      const stalled: Pair[] = [];
      while ((await bufferedBytes(relay)) <= 2 * WINDOW) {
        stalled.push(await stalledCircuit(relay, source, target));
      }
      await assertRefused(relay, await source.connectTo(target.peerId), { request: 'connect', status: 201, limit: 'memory.total', maximum: 4 * WINDOW, retryWithinSeconds: 1 });
      assert.equal((await relay.counts()).circuits.count, stalled.length + 1, 'the refused one took no slot');
      const reader = new ByteReader(bystander.far);
      bystander.near.send(patternBytes(4 * WINDOW));
      await reader.has(4 * WINDOW, TRANSFER_MS);
      stalled.forEach(({ near }) => near.abort(new Error('over')));
      await until(async () => (await bufferedBytes(relay)) === 0, 'nothing to be held');
      assertOk(await source.connectTo(target.peerId));
    }));

  it('total: when circuits that were admitted come to hold more, those that hold the most are ended', () =>
    withRelay(limits({ memory: { perDirection: '256KiB', total: '512KiB' } }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const pairs: Pair[] = [];
      for (let i = 0; i < 6; i++) pairs.push(await openCircuit(source, target));
      const [bystander, ...stalled] = pairs;
      assert.ok(bystander !== undefined);
      const reader = new ByteReader(bystander.far);
      for (const { near, far } of stalled) {
        far.pause();
        near.send(patternBytes(4 * WINDOW));
      }
      await until(async () => (await relay.metric('relayd_relay_circuits_ended_total{reason="memory limit",class="public"}')) > 0, 'a circuit to be ended');
      assert.ok((await bufferedBytes(relay)) <= 2 * WINDOW);
      bystander.near.send(patternBytes(8 * WINDOW));
      assert.equal(sha256(await reader.has(8 * WINDOW, TRANSFER_MS)), sha256(patternBytes(8 * WINDOW)), 'who reads loses nothing');
    }));
});

/** A circuit whose target has stopped reading, and that holds what it can. */
async function stalledCircuit(relay: RelayUnderTest, source: WirePeer, target: WirePeer): Promise<Pair> {
  const pair = await openCircuit(source, target);
  const before = await bufferedBytes(relay);
  pair.far.pause();
  pair.near.send(patternBytes(8 * WINDOW));
  await until(async () => (await bufferedBytes(relay)) > before + WINDOW / 4, 'the circuit to fill up');
  return pair;
}
