import assert from 'node:assert/strict';
import type { Stream } from '@libp2p/interface';
import { it } from 'node:test';
import { describeOverMuxers } from '../../support/yamux-pair.ts';
import fc from 'fast-check';
import { ManualClock } from '../../../src/lib/clock.ts';
import { Bandwidth } from '../../../src/relay/bandwidth.ts';
import { BufferLedger } from '../../../src/relay/buffer-ledger.ts';
import { patternBytes, sha256 } from '../../support/bytes.ts';
import { flowRig, listenersOf } from '../../support/flow-rig.ts';
import { settled, until } from '../../support/waiting.ts';

const KiB = 1024;
const WINDOW = 256 * KiB;

describeOverMuxers('Flow', (muxer) => {
  /** Raw streams do otherwise: raw-flow.test.ts. */
  const onlyStock = (name: string, test: () => Promise<void>): void => {
    if (muxer === 'stock') void it(name, test);
  };

  it('passes every byte on, once and in order, and then the end', async () => {
    const { sender, reader, flow, tells, ledger } = await flowRig();
    flow.start();
    const sent = patternBytes(5 * WINDOW + 17);
    for (let at = 0, size = 1; at < sent.byteLength; at += size, size = (size * 7 + 3) % 100_000) sender.send(sent.subarray(at, at + size));
    await sender.close();
    await tells('end');
    assert.equal(await reader.end(), 'end');
    assert.equal(sha256(reader.bytes), sha256(sent));
    assert.deepEqual([flow.moved, flow.buffered, flow.over, ledger.held], [sent.byteLength, 0, true, 0]);
  });

  it('passes on what came before it was started, with and without the end', async () => {
    for (const ended of [false, true]) {
      const { sender, from, reader, flow, tells } = await flowRig();
      sender.send(patternBytes(1000));
      if (ended) await sender.close();
      await until(() => from.readBufferLength === 1000, 'the early bytes');
      await settled();
      flow.start();
      assert.deepEqual(await reader.has(1000), patternBytes(1000));
      if (!ended) await sender.close();
      await tells('end');
      assert.deepEqual([await reader.end(), reader.length], ['end', 1000]);
    }
  });

  it('passes on bytes that come in the same frame as the end, before and after it was started', async () => {
    for (const early of [false, true]) {
      const { sender, from, reader, flow, tells } = await flowRig();
      if (!early) flow.start();
      await settled();
      sendWithFin(sender, patternBytes(500));
      if (early) await until(() => from.remoteWriteStatus === 'closed', 'the end');
      if (early) flow.start();
      await tells('end');
      assert.deepEqual(await reader.has(500), patternBytes(500));
      assert.equal(await reader.end(), 'end');
    }
  });

  it('lets exactly as many bytes through as the limit says', async () => {
    for (const limitBytes of [1, 1000, 64 * KiB, 64 * KiB + 1, WINDOW + 5]) {
      const under = await flowRig({ limitBytes });
      under.flow.start();
      under.sender.send(patternBytes(limitBytes));
      await under.sender.close();
      await under.tells('end');
      await under.reader.has(limitBytes);
      assert.equal(under.reader.length, limitBytes, 'what the limit allows passes whole');
      assert.ok(!under.told.includes('over limit'));

      const over = await flowRig({ limitBytes });
      over.flow.start();
      over.sender.send(patternBytes(limitBytes + 1));
      await over.tells('over limit');
      assert.deepEqual(await over.reader.has(limitBytes), patternBytes(limitBytes));
      await settled();
      assert.equal(over.reader.length, limitBytes, 'not a byte more');
      assert.equal(over.told.filter((line) => line === 'over limit').length, 1);
      assert.equal(over.flow.moved, limitBytes);
    }
  });

  it('says that the limit is passed only when one more byte comes', async () => {
    const { sender, flow, told, tells, reader } = await flowRig({ limitBytes: 100 });
    flow.start();
    sender.send(patternBytes(100));
    await reader.has(100);
    await settled();
    assert.ok(!told.includes('over limit'));
    sender.send(Uint8Array.of(1));
    await tells('over limit');
  });

  it('does not take a reset, or the loss of the connection, for an end', async () => {
    for (const end of ['reset', 'lost'] as const) {
      const { sender, from, reader, flow, told } = await flowRig();
      flow.start();
      sender.send(patternBytes(10));
      await reader.has(10);
      if (end === 'reset') sender.abort(new Error('reset'));
      else (from as typeof from & { onTransportClosed(): void }).onTransportClosed();
      await until(() => from.status !== 'open', 'the sender to be gone');
      await settled();
      assert.ok(!told.includes('end'), end);
      assert.equal(reader.ends.length, 0, `${end}: whether the receiver hears of it is the circuit's to decide`);
      flow.stop();
    }
  });

  it('does not take a reset that came before it was started for an end', async () => {
    const { sender, from, reader, flow, told } = await flowRig();
    sender.abort(new Error('reset'));
    await until(() => from.status === 'reset', 'the reset to arrive');
    flow.start();
    await settled();
    assert.deepEqual([told, reader.ends], [[], []]);
    flow.stop();
  });

  it('holds at most one window while the receiver does not read, and goes on when it does', async () => {
    const { sender, receiver, to, flow, ledger, reader, tells } = await flowRig();
    receiver.pause();
    flow.start();
    const sent = patternBytes(8 * WINDOW);
    sender.send(sent);
    void sender.close();
    await until(() => to.writeBufferLength > 0, 'the flow to fill up');
    await settled(30);
    assert.ok(flow.buffered > 0 && flow.buffered <= WINDOW, `${flow.buffered} bytes are held`);
    assert.equal(ledger.held, flow.buffered);
    assert.ok(sender.writeBufferLength >= 6 * WINDOW, `the sender was stopped (${sender.writeBufferLength} bytes wait there)`);
    receiver.resume();
    await tells('end');
    assert.equal(sha256(await reader.has(sent.byteLength)), sha256(sent));
    assert.equal(ledger.held, 0);
  });

  onlyStock('gives no credit while the ledger is full, and goes on when there is room', async () => {
    const ledger = new BufferLedger(100);
    ledger.change(100);
    const { sender, reader, flow } = await flowRig({ ledger });
    flow.start();
    sender.send(patternBytes(3 * WINDOW));
    await reader.has(WINDOW);
    await settled(20);
    assert.equal(reader.length, WINDOW, 'the window that it had');
    ledger.change(-1);
    await reader.has(3 * WINDOW);
    assert.equal(ledger.held, 99);
    flow.stop();
  });

  onlyStock('waits for room in the ledger no longer than it runs', async () => {
    const waiting = new Set<() => void>();
    class WatchedLedger extends BufferLedger {
      override onRoom(wake: () => void): void {
        waiting.add(wake);
      }

      override forget(wake: () => void): void {
        waiting.delete(wake);
      }
    }
    const { flow } = await flowRig({ ledger: new WatchedLedger(0) });
    flow.start();
    await until(() => waiting.size === 1, 'the flow to wait');
    flow.stop();
    assert.equal(waiting.size, 0);
  });

  it('keeps to a rate by making the sender wait', async () => {
    const clock = new ManualClock();
    const shaper = new Bandwidth({ perCircuit: 100 * KiB, perPeer: Infinity, total: Infinity }, clock).shaperFor('s', 't');
    const { sender, reader, flow, told } = await flowRig({ clock, shaper });
    flow.start();
    const sent = patternBytes(1000 * KiB);
    sender.send(sent);
    void sender.close();
    await settled();
    while (!told.includes('end') && clock.now() < 60_000) {
      const before = flow.moved;
      clock.advance(50);
      assert.ok(flow.moved - before <= 50 * KiB, 'even, not in bursts');
      await settled(2);
    }
    assert.ok(Math.abs(clock.now() - 9_750) < 1_000, `${clock.now()} ms`);
    assert.equal(sha256(await reader.has(sent.byteLength)), sha256(sent));
    assert.equal(clock.pending, 0);
  });

  it('stopped frees its listeners and its timer, drops what waits, and is quiet for ever', async () => {
    const clock = new ManualClock();
    const shaper = new Bandwidth({ perCircuit: 1 * KiB, perPeer: Infinity, total: Infinity }, clock).shaperFor('s', 't');
    const { sender, from, to, flow, ledger, told } = await flowRig({ clock, shaper });
    const before = [listenersOf(from), listenersOf(to)];
    flow.start();
    sender.send(patternBytes(WINDOW));
    await until(() => clock.pending === 1, 'a timer for the rate');
    flow.stop();
    assert.deepEqual([listenersOf(from), listenersOf(to)], before);
    assert.deepEqual([clock.pending, ledger.held, flow.buffered - from.readBufferLength, flow.over], [0, 0, 0, true]);
    const quiet = told.length;
    flow.stop();
    sender.abort(new Error('gone'));
    clock.advance(1e6);
    await settled();
    assert.equal(told.length, quiet);
    assert.equal(ledger.held, 0);
  });

  onlyStock('stopped before its first turn does nothing', async () => {
    const { sender, from, to, flow, told } = await flowRig();
    sender.send(patternBytes(10));
    await settled();
    const before = [listenersOf(from), listenersOf(to)];
    flow.start();
    flow.stop();
    await settled();
    assert.deepEqual(told, []);
    assert.deepEqual([listenersOf(from), listenersOf(to)], before);
  });

  it('frees its listeners when it is over by itself', async () => {
    const { sender, from, to, flow, tells } = await flowRig();
    const before = [listenersOf(from), listenersOf(to)];
    flow.start();
    sender.send(patternBytes(3 * WINDOW));
    await sender.close();
    await tells('end');
    assert.deepEqual([listenersOf(from), listenersOf(to)], before);
  });

  it('tells of a receiver that cannot be written to', async () => {
    const { sender, to, flow, told, tells } = await flowRig();
    flow.start();
    await to.close();
    sender.send(patternBytes(10));
    await tells('error');
    assert.equal(told.length, 1);
    flow.stop();
  });

  it('waits with the end for a receiver that does not read, for as long as it takes', async () => {
    const { sender, receiver, reader, flow, told, tells } = await flowRig();
    receiver.pause();
    flow.start();
    const sent = WINDOW + 50 * KiB;
    sender.send(patternBytes(sent));
    await sender.close();
    await until(() => flow.ending, 'the end to be on its way');
    await settled();
    assert.ok(!told.includes('end'));
    receiver.resume();
    await tells('end');
    assert.equal((await reader.has(sent)).byteLength, sent);
  });

  it('moves what is sent, whatever the pieces, the pauses of the reader and the rate', async () => {
    const step = fc.record({ bytes: fc.integer({ min: 1, max: 150_000 }), read: fc.boolean(), afterMs: fc.nat({ max: 400 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), fc.constantFrom(Infinity, 300 * KiB), async (steps, rate) => {
        const clock = new ManualClock();
        const shaper = new Bandwidth({ perCircuit: rate, perPeer: Infinity, total: Infinity }, clock).shaperFor('s', 't');
        const { sender, receiver, reader, flow, told, ledger } = await flowRig({ clock, shaper });
        flow.start();
        const sent = patternBytes(steps.reduce((sum, { bytes }) => sum + bytes, 0));
        let at = 0;
        for (const { bytes, read, afterMs } of steps) {
          sender.send(sent.subarray(at, (at += bytes)));
          if (read) receiver.resume();
          else receiver.pause();
          clock.advance(afterMs);
          await settled(1);
          assert.ok(flow.buffered <= 2 * WINDOW);
        }
        receiver.resume();
        void sender.close();
        for (let i = 0; i < 2_000 && !told.includes('end'); i++) {
          clock.advance(20);
          await settled(1);
        }
        assert.equal(await reader.end(), 'end');
        assert.equal(sha256(reader.bytes), sha256(sent));
        assert.equal(ledger.held, 0);
      }),
      { numRuns: 15 },
    );
  });
});

/** As a muxer may send it: the last bytes and the end in one frame. */
function sendWithFin(stream: Stream, bytes: Uint8Array): void {
  const { sendFrame, streamId } = stream as unknown as { streamId: number; sendFrame?(header: object, body: unknown): void };
  const [DATA, FIN] = [0, 4];
  if (sendFrame === undefined) {
    // Our own muxer writes both into one block.
    stream.send(bytes);
    void stream.close();
  } else {
    sendFrame({ type: DATA, flag: FIN, streamID: streamId, length: bytes.byteLength }, bytes);
  }
}
