import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { STOP_PROTOCOL } from '../../src/lib/circuit/protocol.ts';
import { ManualClock } from '../../src/lib/clock.ts';
import { ByteReader } from '../support/byte-reader.ts';
import { patternBytes } from '../support/bytes.ts';
import { assertOk, assertRefused } from '../support/refusals.ts';
import { withRelay } from '../support/relay-under-test.ts';
import type { RelayUnderTest } from '../support/relay-under-test.ts';
import { settled, until } from '../support/waiting.ts';
import { accept } from '../support/wire-peer.ts';
import type { Incoming, WirePeer } from '../support/wire-peer.ts';

const circuits = (set: object): object => ({ relay: { limits: { circuits: set } } });
const LIMIT_201 = { request: 'connect', status: 201 } as const;

async function openCircuit(source: WirePeer, target: WirePeer): Promise<{ near: Stream; far: Stream }> {
  const answer = await source.connectTo(target.peerId);
  assertOk(answer);
  return { near: answer.stream, far: (await target.nextIncoming()).stream };
}

const openCircuits = (relay: RelayUnderTest, count: number): Promise<void> => until(async () => (await relay.counts()).circuits.count === count, `${count} circuits`);
const ended = (relay: RelayUnderTest, reason: string): Promise<number> => relay.metric(`relayd_relay_circuits_ended_total{reason="${reason}",class="public"}`);

describe('relay.limits.circuits', { concurrency: 2 }, () => {
  it('max: one more is refused with 201, until one is over, however it ended', () =>
    withRelay(circuits({ max: 2 }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const [first] = [await openCircuit(source, target), await openCircuit(source, target)];
      await assertRefused(relay, await source.connectTo(target.peerId), { ...LIMIT_201, limit: 'circuits.max', current: 2, maximum: 2 });
      first.near.abort(new Error('over'));
      await openCircuits(relay, 1);
      const third = await openCircuit(source, target);
      await assertRefused(relay, await source.connectTo(target.peerId), { ...LIMIT_201, limit: 'circuits.max', current: 2, maximum: 2, times: 2 });
      await Promise.all([third.near.close(), third.far.close()]);
      await openCircuits(relay, 1);
      await openCircuit(source, target);
      const metrics = await relay.metrics();
      assert.deepEqual(['opened', 'closed'].map((type) => metrics.get(`libp2p_relaysvc_connections_total{type="${type}"}`)), [4, 2]);
      assert.deepEqual([await ended(relay, 'closed by source'), await ended(relay, 'finished')], [1, 1]);
      assert.deepEqual([metrics.get('relayd_relay_circuits{class="public"}'), metrics.get('libp2p_relaysvc_connection_duration_seconds_count')], [2, 2]);
    }));

  it('perSource: one more from the same peer is refused with 201, another peer is served', () =>
    withRelay(circuits({ perSource: 2 }), async (relay) => {
      const [target, source, other] = [await relay.reserved(), await relay.peer(), await relay.peer()];
      const [first] = [await openCircuit(source, target), await openCircuit(source, target)];
      await assertRefused(relay, await source.connectTo(target.peerId), { ...LIMIT_201, limit: 'circuits.perSource', current: 2, maximum: 2 });
      await openCircuit(other, target);
      first.far.abort(new Error('over'));
      await openCircuits(relay, 2);
      await openCircuit(source, target);
    }));

  it('perTarget: one more to the same peer is refused with 201, another target is reached', () =>
    withRelay(circuits({ perTarget: 2 }), async (relay) => {
      const [target, other] = [await relay.reserved(), await relay.reserved()];
      const sources = [await relay.peer(), await relay.peer(), await relay.peer()] as const;
      const [first] = [await openCircuit(sources[0], target), await openCircuit(sources[1], target)];
      await assertRefused(relay, await sources[2].connectTo(target.peerId), { ...LIMIT_201, limit: 'circuits.perTarget', current: 2, maximum: 2 });
      await openCircuit(sources[2], other);
      first.near.abort(new Error('over'));
      await openCircuits(relay, 2);
      await openCircuit(sources[2], target);
    }));

  it('pending: one more while the target has not answered is refused with 201; each answer, yes or no, frees a place', () =>
    withRelay(circuits({ pending: 2 }), async (relay) => {
      const waiting: Incoming[] = [];
      const [target, source] = [await relay.reserved({ stop: (incoming) => void waiting.push(incoming) }), await relay.peer()];
      const first = source.connectTo(target.peerId);
      const second = source.connectTo(target.peerId);
      await until(() => waiting.length === 2, 'both to reach the target');
      await assertRefused(relay, await source.connectTo(target.peerId), { ...LIMIT_201, limit: 'circuits.pending', current: 2, maximum: 2 });
      void accept(waiting[0] ?? assert.fail());
      assertOk(await first);
      const third = source.connectTo(target.peerId);
      await until(() => waiting.length === 3, 'the third to reach the target');
      waiting[1]?.stream.abort(new Error('no'));
      assert.equal((await second).status, 203);
      const fourth = source.connectTo(target.peerId);
      await until(() => waiting.length === 4, 'the fourth to reach the target');
      waiting.slice(2).forEach((incoming) => void accept(incoming));
      [await third, await fourth].forEach(assertOk);
      assert.equal((await relay.counts()).circuits.count, 3);
      assert.equal(await relay.metric('libp2p_relaysvc_connection_request_response_status_total{status="error"}'), 1);
    }));

  it('duration: a circuit is cut when it is over, both sides are told it, in seconds, and its slot is free', () =>
    withRelay(circuits({ duration: '1s', max: 1 }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      const askedAt = performance.now();
      const answer = await source.connectTo(target.peerId);
      const { request, stream: far } = await target.nextIncoming();
      assert.deepEqual([answer.limit?.durationSeconds, request.limit?.durationSeconds], [1, 1]);
      const readers = [new ByteReader(answer.stream), new ByteReader(far)];
      const chatter = setInterval(() => answer.stream.status === 'open' && answer.stream.send(Uint8Array.of(1)), 20);
      const ends = await Promise.all(readers.map((reader) => reader.closed()));
      clearInterval(chatter);
      assert.deepEqual(ends, ['reset', 'reset']);
      const tookMs = performance.now() - askedAt;
      assert.ok(tookMs >= 900, `${tookMs} ms`);
      assert.equal(await ended(relay, 'duration limit'), 1);
      await openCircuit(source, target);
    }));

  it('bytesPerDirection: so many pass, in each direction by itself; one more resets both sides', () =>
    withRelay(circuits({ bytesPerDirection: '100KiB', max: 1 }), async (relay) => {
      const limit = 100 * 1024;
      const [target, source] = [await relay.reserved(), await relay.peer()];
      for (const side of ['near', 'far'] as const) {
        const circuit = await openCircuit(source, target);
        const readers = { near: new ByteReader(circuit.near), far: new ByteReader(circuit.far) };
        circuit.near.send(patternBytes(limit, 1));
        circuit.far.send(patternBytes(limit, 2));
        assert.deepEqual(await readers.far.has(limit), patternBytes(limit, 1));
        assert.deepEqual(await readers.near.has(limit), patternBytes(limit, 2));
        assert.equal((await relay.counts()).circuits.count, 1, 'both directions at their limit: nothing is over it');
        circuit[side].send(Uint8Array.of(1));
        assert.deepEqual([await readers.near.closed(), await readers.far.closed()], ['reset', 'reset']);
        assert.deepEqual([readers.near.length, readers.far.length], [limit, limit]);
        await openCircuits(relay, 0);
      }
      assert.equal(await ended(relay, 'byte limit'), 2);
      assert.equal(await relay.metric('libp2p_relaysvc_data_transferred_bytes_total'), 4 * limit);
      const answer = await source.connectTo(target.peerId);
      assert.equal(answer.limit?.dataBytes, limit);
    }));

  it('idle: a circuit on which no byte moves is cut, one on which some do is not', async () => {
    const clock = new ManualClock();
    await withRelay(
      circuits({ idle: '40s', duration: 'unlimited', max: 2 }),
      async (relay) => {
        const [target, source] = [await relay.reserved(), await relay.peer()];
        const [silent, busy] = [await openCircuit(source, target), await openCircuit(source, target)];
        const readers = [new ByteReader(silent.near), new ByteReader(silent.far)];
        const atBusy = { near: new ByteReader(busy.near), far: new ByteReader(busy.far) };
        // Now one side, now the other: either keeps it alive.
        for (let seconds = 0; seconds < 120; seconds += 30) {
          const [from, to] = seconds % 60 === 0 ? ([busy.near, atBusy.far] as const) : ([busy.far, atBusy.near] as const);
          from.send(Uint8Array.of(1));
          await to.has(to.length + 1);
          assert.equal(silent.near.status === 'open', seconds <= 30, 'not before its time');
          clock.advance(30_000);
          if (seconds === 30) assert.deepEqual(await Promise.all(readers.map((reader) => reader.closed())), ['reset', 'reset']);
        }
        assert.deepEqual([await ended(relay, 'idle'), (await relay.counts()).circuits.count], [1, 1]);
        assert.equal(busy.near.status, 'open');
        await openCircuit(source, target);
      },
      { clock },
    );
  });

  it('unlimited ones are told to nobody: go-libp2p takes a circuit with a limit for a poor one', () =>
    withRelay(circuits({ duration: 'unlimited', bytesPerDirection: 'unlimited' }), async (relay) => {
      const target = await relay.peer();
      const source = await relay.peer();
      assert.equal((await target.reserve()).limit, undefined);
      assert.equal((await source.connectTo(target.peerId)).limit, undefined);
      assert.equal((await target.nextIncoming()).request.limit, undefined);
    }));

  it('a circuit that was refused, or failed, leaves nothing at the target', () =>
    withRelay(circuits({ max: 1 }), async (relay) => {
      const [target, source] = [await relay.reserved(), await relay.peer()];
      await openCircuit(source, target);
      const stops = (): number => target.connection.streams.filter(({ protocol }) => protocol === STOP_PROTOCOL).length;
      const before = stops();
      await source.connectTo(target.peerId);
      await settled();
      assert.deepEqual([before, stops()], [1, 1]);
    }));
});
