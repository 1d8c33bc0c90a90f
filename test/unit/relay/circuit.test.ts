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
import { yamuxPair } from '../../support/yamux-pair.ts';
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
    class: 'public',
    source: { peer: peers[0], stream: innerSource },
    target: { peer: peers[1], stream: innerTarget },
    limits: { ...UNLIMITED, ...limits },
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

const end = (it: Rig): Promise<void> => until(() => it.ended.length > 0, 'the circuit to end');

describe('Circuit', () => {
  it('carries bytes both ways at once, and counts each', async () => {
    const it = await rig();
    it.circuit.start();
    const [there, back] = [patternBytes(3 * WINDOW, 1), patternBytes(2 * WINDOW, 2)];
    it.source.send(there);
    it.target.send(back);
    await it.fromSource.has(there.byteLength);
    await it.fromTarget.has(back.byteLength);
    assert.deepEqual([sha256(it.fromSource.bytes), sha256(it.fromTarget.bytes)], [sha256(there), sha256(back)]);
    assert.deepEqual([it.circuit.bytesToTarget, it.circuit.bytesToSource, it.circuit.bufferedBytes], [there.byteLength, back.byteLength, 0]);
    it.circuit.end('stopped');
    it.assertFreed();
  });

  it('is finished when both sides have said their end, whoever is first', async () => {
    for (const order of ['source', 'target', 'both'] as const) {
      const it = await rig();
      it.circuit.start();
      it.source.send(patternBytes(100));
      it.target.send(patternBytes(200));
      if (order !== 'target') await it.source.close();
      if (order === 'source') assert.equal(await it.fromSource.end(), 'end');
      if (order !== 'source') await it.target.close();
      if (order === 'target') assert.equal(await it.fromTarget.end(), 'end');
      assert.deepEqual(it.ended, order === 'both' ? it.ended : [], 'half a circuit goes on');
      await Promise.all([it.source.close(), it.target.close()]);
      await end(it);
      assert.deepEqual(it.ended, ['finished']);
      assert.deepEqual([await it.fromSource.closed(), it.fromSource.length], ['end', 100]);
      assert.deepEqual([await it.fromTarget.closed(), it.fromTarget.length], ['end', 200]);
      it.assertFreed();
      assert.equal(it.clock.pending, 0);
    }
  });

  it('carries the reply after the request\'s end, however long it is', async () => {
    const it = await rig();
    it.circuit.start();
    it.source.send(patternBytes(10));
    await it.source.close();
    await it.fromSource.end();
    it.target.send(patternBytes(3 * WINDOW));
    await it.fromTarget.has(3 * WINDOW);
    await it.target.close();
    await end(it);
    assert.deepEqual(it.ended, ['finished']);
  });

  it('loses nothing when both sides end while bytes of one, or of both, are on their way', async () => {
    for (const [slow, first] of [['target', 'source'], ['target', 'target'], ['source', 'source'], ['source', 'target'], ['both', 'source'], ['both', 'target']] as const) {
      const it = await rig();
      const slowSides = [...(slow === 'source' ? [] : [it.target]), ...(slow === 'target' ? [] : [it.source])];
      slowSides.forEach((side) => side.pause());
      it.circuit.start();
      const [there, back] = [patternBytes(WINDOW + 150_000, 1), patternBytes(slow === 'both' ? WINDOW + 150_000 : 20, 2)];
      it.source.send(there.subarray(0, slow === 'source' ? 20 : there.byteLength));
      it.target.send(slow === 'source' ? patternBytes(WINDOW + 150_000, 2) : back);
      await settled();
      const closing = (first === 'source' ? [it.source, it.target] : [it.target, it.source]).map(async (side) => {
        await side.close();
        await settled(2);
      });
      await Promise.all(closing);
      await settled();
      slowSides.forEach((side) => side.resume());
      await end(it);
      const label = `${slow} is slow, ${first} ends first`;
      assert.deepEqual(it.ended, ['finished'], label);
      assert.deepEqual([await it.fromSource.closed(), it.fromSource.length], ['end', slow === 'source' ? 20 : there.byteLength], label);
      assert.deepEqual([await it.fromTarget.closed(), it.fromTarget.length], ['end', slow === 'target' ? 20 : WINDOW + 150_000], label);
      it.assertFreed();
    }
  });

  it('passes a reset on as a reset and nothing else, in either direction', async () => {
    for (const [side, reason] of [['source', 'closed by source'], ['target', 'closed by target']] as const) {
      const it = await rig();
      it.circuit.start();
      it.source.send(patternBytes(10));
      it.target.send(patternBytes(10));
      await Promise.all([it.fromSource.has(10), it.fromTarget.has(10)]);
      it[side].abort(new Error('reset'));
      const other = side === 'source' ? it.fromSource : it.fromTarget;
      await other.closed();
      assert.deepEqual(other.ends, ['reset'], side);
      assert.deepEqual(it.ended, [reason]);
      it.assertFreed();
    }
  });

  it('passes a reset on after one side has ended, too', async () => {
    const it = await rig();
    it.circuit.start();
    await it.target.close();
    await it.fromTarget.end();
    it.source.send(patternBytes(10));
    await it.fromSource.has(10);
    it.source.abort(new Error('reset'));
    await it.fromSource.closed();
    assert.deepEqual(it.fromSource.ends, ['reset']);
    it.assertFreed();
  });

  it('passes the loss of a connection on as a reset: what was cut off must not look whole', async () => {
    for (const half of [false, true]) {
      for (const [side, reason] of [['source', 'closed by source'], ['target', 'closed by target']] as const) {
        const it = await rig();
        it.circuit.start();
        const [lost, other, reader] = side === 'source' ? [0, it.target, it.fromSource] as const : [1, it.source, it.fromTarget] as const;
        if (half) await other.close();
        await settled();
        // As libp2p tells it when a socket ends without an error.
        (it.inner[lost] as Stream & { onTransportClosed(): void }).onTransportClosed();
        await reader.closed();
        assert.deepEqual(reader.ends, ['reset'], `${side} lost, the other side ${half ? 'ended' : 'open'}`);
        assert.deepEqual(it.ended, [reason]);
        it.assertFreed();
      }
    }
  });

  it('over its byte limit resets both sides, in either direction, the bytes up to the limit passed on', async () => {
    for (const side of ['source', 'target'] as const) {
      const it = await rig({ bytesPerDirection: 1000 });
      it.circuit.start();
      const [other, reader] = side === 'source' ? [it.target, it.fromSource] : [it.source, it.fromTarget];
      other.send(patternBytes(1000));
      await (side === 'source' ? it.fromTarget : it.fromSource).has(1000);
      it[side].send(patternBytes(1001));
      await end(it);
      assert.deepEqual(it.ended, ['byte limit']);
      assert.equal(await it.fromSource.closed(), 'reset');
      assert.equal(await it.fromTarget.closed(), 'reset');
      assert.equal(reader.length, 1000);
      it.assertFreed();
    }
  });

  it('is cut at its duration, however busy it is, and not before', async () => {
    const it = await rig({ durationMs: 2_000, idleMs: 1_500 });
    it.circuit.start();
    for (let i = 0; i < 3; i++) {
      it.clock.advance(i === 2 ? 499 : 500);
      it.source.send(patternBytes(10));
      await it.fromSource.has(10 * (i + 1));
    }
    it.clock.advance(500);
    assert.deepEqual(it.ended, []);
    it.clock.advance(1);
    assert.deepEqual(it.ended, ['duration limit']);
    assert.equal(await it.fromSource.closed(), 'reset');
    assert.equal(await it.fromTarget.closed(), 'reset');
    it.assertFreed();
    assert.equal(it.clock.pending, 0);
  });

  it('is cut when no byte has moved for the idle time, in either direction, and not before', async () => {
    const it = await rig({ idleMs: 1_000 });
    it.circuit.start();
    it.clock.advance(900);
    it.source.send(patternBytes(1));
    await it.fromSource.has(1);
    it.clock.advance(900);
    it.target.send(patternBytes(1));
    await it.fromTarget.has(1);
    assert.equal(it.circuit.idleMs, 0);
    it.clock.advance(999);
    assert.deepEqual(it.ended, []);
    it.clock.advance(1);
    assert.deepEqual(it.ended, ['idle']);
    it.assertFreed();
    assert.equal(it.clock.pending, 0);
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
    const it = await rig({ durationMs: 1_000 });
    it.circuit.start();
    it.circuit.end('stopped');
    it.circuit.end('idle');
    it.clock.advance(5_000);
    it.source.abort(new Error('late'));
    await settled();
    assert.deepEqual(it.ended, ['stopped']);
    it.assertFreed();
  });

  it('ends at once when one of its streams is gone before it starts', async () => {
    for (const [side, reason] of [['source', 'closed by source'], ['target', 'closed by target']] as const) {
      const it = await rig();
      it[side].abort(new Error('gone'));
      await until(() => it.inner[side === 'source' ? 0 : 1].status !== 'open', 'the reset to arrive');
      it.circuit.start();
      assert.deepEqual(it.ended, [reason]);
      const other = side === 'source' ? it.fromSource : it.fromTarget;
      await other.closed();
      assert.deepEqual(other.ends, ['reset']);
      await settled();
      it.assertFreed();
    }
  });

  it('passes on what the target sends right behind its answer, and its end', async () => {
    const it = await rig();
    it.target.send(patternBytes(5_000));
    await it.target.close();
    await settled();
    it.circuit.start();
    assert.equal((await it.fromTarget.has(5_000)).byteLength, 5_000);
    assert.equal(await it.fromTarget.end(), 'end');
    it.source.send(patternBytes(5));
    await it.source.close();
    await end(it);
    assert.deepEqual(it.ended, ['finished']);
    assert.equal((await it.fromSource.has(5)).byteLength, 5);
  });

  it('ends in one way and leaves nothing, whatever the two sides do', async () => {
    const act = fc.record({ side: fc.constantFrom('source' as const, 'target' as const), what: fc.constantFrom('send', 'send', 'send', 'close', 'pause', 'resume', 'reset', 'turn'), bytes: fc.integer({ min: 1, max: 200_000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 16 }), async (acts) => {
        const it = await rig();
        it.circuit.start();
        for (const { side, what, bytes } of acts) {
          const stream = it[side];
          if (what === 'send' && stream.writeStatus === 'writable') stream.send(patternBytes(bytes));
          else if (what === 'close') void stream.close().catch(() => {});
          else if (what === 'pause' && stream.readStatus === 'readable') stream.pause();
          else if (what === 'resume' && stream.readStatus === 'paused') stream.resume();
          else if (what === 'reset') stream.abort(new Error('reset'));
          else await settled(1);
        }
        [it.source, it.target].forEach((stream) => {
          if (stream.readStatus === 'paused') stream.resume();
          void stream.close().catch(() => {});
        });
        await end(it);
        await settled(1);
        it.assertFreed();
        const wasReset = acts.some(({ what }) => what === 'reset');
        if (!wasReset) assert.deepEqual(it.ended, ['finished']);
      }),
      { numRuns: 60 },
    );
  });
});

describe('Circuits', () => {
  it('say when none is open any more, or when nobody waits any longer', async () => {
    const it = await rig();
    it.circuit.start();
    let empty = false;
    const waiting = it.circuits.whenEmpty(new AbortController().signal).then(() => (empty = true));
    await settled(1);
    assert.equal(empty, false);
    const impatient = new AbortController();
    const given = it.circuits.whenEmpty(impatient.signal);
    impatient.abort();
    await given;
    it.circuits.endAll('stopped');
    await waiting;
    await it.circuits.whenEmpty(new AbortController().signal);
    await it.circuits.whenEmpty(AbortSignal.abort());
    assert.deepEqual([it.circuits.size, it.circuits.all().length, it.ended], [0, 0, ['stopped']]);
  });

  it('count those of a target', async () => {
    const it = await rig();
    assert.equal(it.circuits.ofTarget(peers[1]), 1);
    assert.equal(it.circuits.ofTarget(peers[0]), 0);
    it.circuits.endAll('stopped');
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
    class: 'public',
    source: { peer: peers[0], stream: innerSource },
    target: { peer: peers[1], stream: innerTarget },
    limits: { ...UNLIMITED, idleMs: 60_000 },
    slot: { established: () => {}, release: () => {} },
    shaper: new Bandwidth({ perCircuit: KiB, perPeer: Infinity, total: Infinity }, clock).shaperFor('s', 't'),
    ledger: new BufferLedger(Infinity),
    clock,
    onMoved: () => {},
  });
  return { circuit, source, fromSource: new ByteReader(target), ended, circuits };
}
