import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { PeerId, Stream } from '@libp2p/interface';
import fc from 'fast-check';
import { ManualClock } from '../../../src/lib/clock.ts';
import { holdCredit } from '../../../src/lib/flow.ts';
import { Bandwidth } from '../../../src/relay/bandwidth.ts';
import { BufferLedger } from '../../../src/relay/buffer-ledger.ts';
import { Circuit } from '../../../src/relay/circuit.ts';
import { CircuitSlots } from '../../../src/relay/circuit-slots.ts';
import { Circuits } from '../../../src/relay/circuits.ts';
import type { CircuitEnd } from '../../../src/relay/circuit.ts';
import { INTERNAL_LIMITS } from '../../../src/relay/classes.ts';
import { ByteReader } from '../../support/byte-reader.ts';
import { patternBytes, sha256 } from '../../support/bytes.ts';
import { freeShaper, listenersOf } from '../../support/flow-rig.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { settled, until } from '../../support/waiting.ts';
import { describeOverMuxers, yamuxPair } from '../../support/yamux-pair.ts';
import type { YamuxPair } from '../../support/yamux-pair.ts';

const KiB = 1024;
const WINDOW = 256 * KiB;
type Limits = typeof INTERNAL_LIMITS.circuits;
const UNLIMITED: Limits = { ...INTERNAL_LIMITS.circuits, durationMs: Infinity, bytesPerDirection: Infinity, idleMs: Infinity };

interface Rig {
  clock: ManualClock;
  circuits: Circuits;
  circuit: Circuit;
  ended: CircuitEnd[];
  slots: CircuitSlots;
  ledger: BufferLedger;
  released: () => boolean;
  /** The two ends, as the peers have them. */
  source: Stream;
  target: Stream;
  fromSource: ByteReader;
  fromTarget: ByteReader;
  /** As the relay has them. */
  inner: [source: Stream, target: Stream];
  connections: [source: YamuxPair, target: YamuxPair];
  /** Counters, timers and listeners are as they were before the circuit. */
  assertFreed(): void;
}

let peers: [PeerId, PeerId];
before(async () => {
  peers = (await makePeerIds(2)) as [PeerId, PeerId];
});

async function rig(limits: Partial<Limits> = {}): Promise<Rig> {
  const clock = new ManualClock();
  const connections: [YamuxPair, YamuxPair] = [yamuxPair(), yamuxPair()];
  const [source, innerSource] = await connections[0].open();
  const [innerTarget, target] = await connections[1].open();
  [innerSource, innerTarget].forEach(holdCredit);
  const ended: CircuitEnd[] = [];
  const slots = new CircuitSlots();
  const ledger = new BufferLedger(Infinity);
  const circuits = new Circuits((_circuit, reason) => ended.push(reason));
  const slot = slots.take('public', 's', 't', INTERNAL_LIMITS.circuits);
  slot.established();
  const shaper = freeShaper(clock);
  let released = false;
  const listeners = [innerSource, innerTarget].map(listenersOf);
  const circuit = circuits.open({
    source: { peer: peers[0], stream: innerSource, standing: { class: 'public' } },
    target: { peer: peers[1], stream: innerTarget, standing: { class: 'public' } },
    limits: { ...UNLIMITED, ...limits },
    memory: INTERNAL_LIMITS.memory,
    slot,
    shaper: { ...shaper, release: () => void (released = true) },
    ledger,
    clock,
    onMoved: () => {},
  });
  const assertFreed = (): void => {
    assert.equal(ended.length, 1, `it ended once (${ended.join(', ')})`);
    assert.deepEqual([slots.count('public'), circuits.size, ledger.held, released], [0, 0, 0, true]);
    assert.deepEqual([innerSource, innerTarget].map((stream) => ({ ...listenersOf(stream), close: 0 })), listeners.map((counts) => ({ ...counts, close: 0 })));
  };
  return { clock, circuits, circuit, ended, slots, ledger, released: () => released, source, target, fromSource: new ByteReader(target), fromTarget: new ByteReader(source), inner: [innerSource, innerTarget], connections, assertFreed };
}

const end = (wire: Rig): Promise<void> => until(() => wire.ended.length > 0, 'the circuit to end');

describeOverMuxers('Circuit', () => {
  it('carries bytes both ways at once, and counts each', async () => {
    const wire = await rig();
    wire.circuit.start();
    const [there, back] = [patternBytes(3 * WINDOW, 1), patternBytes(2 * WINDOW, 2)];
    wire.source.send(there);
    wire.target.send(back);
    await wire.fromSource.has(there.byteLength);
    await wire.fromTarget.has(back.byteLength);
    assert.deepEqual([sha256(wire.fromSource.bytes), sha256(wire.fromTarget.bytes)], [sha256(there), sha256(back)]);
    assert.deepEqual([wire.circuit.bytesToTarget, wire.circuit.bytesToSource, wire.circuit.bufferedBytes], [there.byteLength, back.byteLength, 0]);
    wire.circuit.end('stopped');
    wire.assertFreed();
  });

  it('does not begin when it has ended before', async () => {
    const wire = await rig({ durationMs: 60_000, idleMs: 30_000 });
    wire.circuit.end('quota');
    wire.circuit.start();
    wire.assertFreed();
    assert.deepEqual([wire.ended, wire.clock.pending], [['quota'], 0]);
  });

  it('is finished when both sides have said their end, whoever is first', async () => {
    for (const order of ['source', 'target', 'both'] as const) {
      const wire = await rig({ durationMs: 60_000, idleMs: 30_000 });
      wire.circuit.start();
      wire.source.send(patternBytes(100));
      wire.target.send(patternBytes(200));
      if (order !== 'target') await wire.source.close();
      if (order === 'source') assert.equal(await wire.fromSource.end(), 'end');
      if (order !== 'source') await wire.target.close();
      if (order === 'target') assert.equal(await wire.fromTarget.end(), 'end');
      assert.deepEqual(wire.ended, order === 'both' ? wire.ended : [], 'half a circuit goes on');
      await Promise.all([wire.source.close(), wire.target.close()]);
      await end(wire);
      assert.deepEqual(wire.ended, ['finished']);
      assert.deepEqual([await wire.fromSource.closed(), wire.fromSource.length], ['end', 100]);
      assert.deepEqual([await wire.fromTarget.closed(), wire.fromTarget.length], ['end', 200]);
      wire.assertFreed();
      assert.equal(wire.clock.pending, 0);
    }
  });

  it('carries the reply after the request\'s end, however long it is', async () => {
    const wire = await rig();
    wire.circuit.start();
    wire.source.send(patternBytes(10));
    await wire.source.close();
    await wire.fromSource.end();
    wire.target.send(patternBytes(3 * WINDOW));
    await wire.fromTarget.has(3 * WINDOW);
    await wire.target.close();
    await end(wire);
    assert.deepEqual(wire.ended, ['finished']);
  });

  it('loses nothing when both sides end while bytes of one, or of both, are on their way', async () => {
    for (const [slow, first] of [['target', 'source'], ['target', 'target'], ['source', 'source'], ['source', 'target'], ['both', 'source'], ['both', 'target']] as const) {
      const wire = await rig();
      const slowSides = [...(slow === 'source' ? [] : [wire.target]), ...(slow === 'target' ? [] : [wire.source])];
      slowSides.forEach((side) => side.pause());
      wire.circuit.start();
      const [there, back] = [patternBytes(WINDOW + 150_000, 1), patternBytes(slow === 'both' ? WINDOW + 150_000 : 20, 2)];
      wire.source.send(there.subarray(0, slow === 'source' ? 20 : there.byteLength));
      wire.target.send(slow === 'source' ? patternBytes(WINDOW + 150_000, 2) : back);
      await settled();
      const closing = (first === 'source' ? [wire.source, wire.target] : [wire.target, wire.source]).map(async (side) => {
        await side.close();
        await settled(2);
      });
      await Promise.all(closing);
      await settled();
      slowSides.forEach((side) => side.resume());
      await end(wire);
      const label = `${slow} is slow, ${first} ends first`;
      assert.deepEqual(wire.ended, ['finished'], label);
      assert.deepEqual([await wire.fromSource.closed(), wire.fromSource.length], ['end', slow === 'source' ? 20 : there.byteLength], label);
      assert.deepEqual([await wire.fromTarget.closed(), wire.fromTarget.length], ['end', slow === 'target' ? 20 : WINDOW + 150_000], label);
      wire.assertFreed();
    }
  });

  it('passes a reset on as a reset and nothing else, in either direction', async () => {
    for (const [side, reason] of [['source', 'closed by source'], ['target', 'closed by target']] as const) {
      const wire = await rig();
      wire.circuit.start();
      wire.source.send(patternBytes(10));
      wire.target.send(patternBytes(10));
      await Promise.all([wire.fromSource.has(10), wire.fromTarget.has(10)]);
      wire[side].abort(new Error('reset'));
      const other = side === 'source' ? wire.fromSource : wire.fromTarget;
      await other.closed();
      assert.deepEqual(other.ends, ['reset'], side);
      assert.deepEqual(wire.ended, [reason]);
      wire.assertFreed();
    }
  });

  it('passes a reset on after one side has ended, too', async () => {
    const wire = await rig();
    wire.circuit.start();
    await wire.target.close();
    await wire.fromTarget.end();
    wire.source.send(patternBytes(10));
    await wire.fromSource.has(10);
    wire.source.abort(new Error('reset'));
    await wire.fromSource.closed();
    assert.deepEqual(wire.fromSource.ends, ['reset']);
    wire.assertFreed();
  });

  it('passes the loss of a connection on as a reset: what was cut off must not look whole', async () => {
    for (const half of ['open', 'the other side ended', 'this side ended'] as const) {
      for (const [side, reason] of [['source', 'closed by source'], ['target', 'closed by target']] as const) {
        const wire = await rig();
        wire.circuit.start();
        const [lost, other, reader] = side === 'source' ? [0, wire.target, wire.fromSource] as const : [1, wire.source, wire.fromTarget] as const;
        if (half === 'the other side ended') await other.close();
        if (half === 'this side ended') await wire[side].close();
        await settled();
        // As libp2p tells it when a socket ends without an error.
        (wire.inner[lost] as Stream & { onTransportClosed(): void }).onTransportClosed();
        await reader.closed();
        assert.deepEqual(reader.ends, half === 'this side ended' ? ['end', 'reset'] : ['reset'], `${side} lost, ${half}`);
        assert.deepEqual(wire.ended, [reason]);
        wire.assertFreed();
      }
    }
  });

  it('over its byte limit resets both sides, in either direction, the bytes up to the limit passed on', async () => {
    for (const side of ['source', 'target'] as const) {
      const wire = await rig({ bytesPerDirection: 1000 });
      wire.circuit.start();
      const [other, reader] = side === 'source' ? [wire.target, wire.fromSource] : [wire.source, wire.fromTarget];
      other.send(patternBytes(1000));
      await (side === 'source' ? wire.fromTarget : wire.fromSource).has(1000);
      wire[side].send(patternBytes(1001));
      await end(wire);
      assert.deepEqual(wire.ended, ['byte limit']);
      assert.equal(await wire.fromSource.closed(), 'reset');
      assert.equal(await wire.fromTarget.closed(), 'reset');
      assert.equal(reader.length, 1000);
      wire.assertFreed();
    }
  });

  it('is cut at its duration, however busy it is, and not before', async () => {
    const wire = await rig({ durationMs: 2_000, idleMs: 1_500 });
    wire.circuit.start();
    for (let i = 0; i < 3; i++) {
      wire.clock.advance(i === 2 ? 499 : 500);
      wire.source.send(patternBytes(10));
      await wire.fromSource.has(10 * (i + 1));
    }
    wire.clock.advance(500);
    assert.deepEqual(wire.ended, []);
    wire.clock.advance(1);
    assert.deepEqual(wire.ended, ['duration limit']);
    assert.equal(await wire.fromSource.closed(), 'reset');
    assert.equal(await wire.fromTarget.closed(), 'reset');
    wire.assertFreed();
    assert.equal(wire.clock.pending, 0);
  });

  it('is cut when no byte has moved for the idle time, in either direction, and not before', async () => {
    const wire = await rig({ idleMs: 1_000 });
    wire.circuit.start();
    wire.clock.advance(900);
    wire.source.send(patternBytes(1));
    await wire.fromSource.has(1);
    wire.clock.advance(900);
    wire.target.send(patternBytes(1));
    await wire.fromTarget.has(1);
    assert.equal(wire.circuit.idleMs, 0);
    wire.clock.advance(999);
    assert.deepEqual(wire.ended, []);
    wire.clock.advance(1);
    assert.deepEqual(wire.ended, ['idle']);
    wire.assertFreed();
    assert.equal(wire.clock.pending, 0);
  });

  it('that a rate slows down is not idle', async () => {
    const clock = new ManualClock();
    const { circuit, source, fromSource, ended, circuits } = await slowCircuit(clock);
    circuit.start();
    source.send(patternBytes(100 * KiB));
    await settled();
    for (let second = 0; second < 99; second++) {
      clock.advance(1_000);
      await settled(1);
    }
    await fromSource.has(95 * KiB);
    assert.deepEqual(ended, []);
    circuits.endAll('stopped');
  });

  it('ends once, for the first reason', async () => {
    const wire = await rig({ durationMs: 1_000 });
    wire.circuit.start();
    wire.circuit.end('stopped');
    wire.circuit.end('idle');
    wire.clock.advance(5_000);
    wire.source.abort(new Error('late'));
    await settled();
    assert.deepEqual(wire.ended, ['stopped']);
    wire.assertFreed();
  });

  it('ends at once when one of its streams is gone before it starts', async () => {
    for (const [side, reason] of [['source', 'closed by source'], ['target', 'closed by target']] as const) {
      const wire = await rig();
      wire[side].abort(new Error('gone'));
      await until(() => wire.inner[side === 'source' ? 0 : 1].status !== 'open', 'the reset to arrive');
      wire.circuit.start();
      assert.deepEqual(wire.ended, [reason]);
      const other = side === 'source' ? wire.fromSource : wire.fromTarget;
      await other.closed();
      assert.deepEqual(other.ends, ['reset']);
      await settled();
      wire.assertFreed();
    }
  });

  it('passes on what the target sends right behind its answer, and its end', async () => {
    const wire = await rig();
    wire.target.send(patternBytes(5_000));
    await wire.target.close();
    await settled();
    wire.circuit.start();
    assert.equal((await wire.fromTarget.has(5_000)).byteLength, 5_000);
    assert.equal(await wire.fromTarget.end(), 'end');
    wire.source.send(patternBytes(5));
    await wire.source.close();
    await end(wire);
    assert.deepEqual(wire.ended, ['finished']);
    assert.equal((await wire.fromSource.has(5)).byteLength, 5);
  });

  it('ends in one way and leaves nothing, whatever the two sides do', async () => {
    const act = fc.record({ side: fc.constantFrom('source' as const, 'target' as const), what: fc.constantFrom('send', 'send', 'send', 'close', 'pause', 'resume', 'reset', 'turn'), bytes: fc.integer({ min: 1, max: 200_000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 16 }), async (acts) => {
        const wire = await rig();
        wire.circuit.start();
        for (const { side, what, bytes } of acts) {
          const stream = wire[side];
          if (what === 'send' && stream.writeStatus === 'writable') stream.send(patternBytes(bytes));
          else if (what === 'close') void stream.close().catch(() => {});
          else if (what === 'pause' && stream.readStatus === 'readable') stream.pause();
          else if (what === 'resume' && stream.readStatus === 'paused') stream.resume();
          else if (what === 'reset') stream.abort(new Error('reset'));
          else await settled(1);
        }
        [wire.source, wire.target].forEach((stream) => {
          if (stream.readStatus === 'paused') stream.resume();
          void stream.close().catch(() => {});
        });
        await end(wire);
        await settled(1);
        wire.assertFreed();
        const wasReset = acts.some(({ what }) => what === 'reset');
        if (!wasReset) assert.deepEqual(wire.ended, ['finished']);
      }),
      { numRuns: 60 },
    );
  });
});

describe('Circuits', () => {
  it('say when none is open any more, or when nobody waits any longer', async () => {
    const wire = await rig();
    wire.circuit.start();
    let empty = false;
    const waiting = wire.circuits.whenEmpty(new AbortController().signal).then(() => (empty = true));
    await settled(1);
    assert.equal(empty, false);
    const impatient = new AbortController();
    const given = wire.circuits.whenEmpty(impatient.signal);
    impatient.abort();
    await given;
    wire.circuits.endAll('stopped');
    await waiting;
    await wire.circuits.whenEmpty(new AbortController().signal);
    await wire.circuits.whenEmpty(AbortSignal.abort());
    assert.deepEqual([wire.circuits.size, wire.circuits.all().length, wire.ended], [0, 0, ['stopped']]);
  });

  it('count those of each target', async () => {
    const wire = await rig();
    assert.deepEqual(peers.map((peer) => wire.circuits.perTarget().of(peer.toString())), [0, 1]);
    wire.circuits.endAll('stopped');
  });
});

/** One KiB a second, and a minute of patience. */
async function slowCircuit(clock: ManualClock): Promise<{ circuit: Circuit; source: Stream; fromSource: ByteReader; ended: CircuitEnd[]; circuits: Circuits }> {
  const [source, innerSource] = await yamuxPair().open();
  const [innerTarget, target] = await yamuxPair().open();
  [innerSource, innerTarget].forEach(holdCredit);
  const ended: CircuitEnd[] = [];
  const circuits = new Circuits((_circuit, reason) => ended.push(reason));
  const circuit = circuits.open({
    source: { peer: peers[0], stream: innerSource, standing: { class: 'public' } },
    target: { peer: peers[1], stream: innerTarget, standing: { class: 'public' } },
    limits: { ...UNLIMITED, idleMs: 60_000 },
    memory: INTERNAL_LIMITS.memory,
    slot: { established: () => {}, release: () => {} },
    shaper: new Bandwidth({ perCircuit: KiB, perPeer: Infinity, total: Infinity }, clock).shaperFor('s', 't'),
    ledger: new BufferLedger(Infinity),
    clock,
    onMoved: () => {},
  });
  return { circuit, source, fromSource: new ByteReader(target), ended, circuits };
}
