import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RawSink } from '../../../src/lib/raw-stream.ts';
import { patternBytes } from '../../support/bytes.ts';
import { DATA, WINDOW } from './frames.ts';
import { blocksHeld, turns } from './link-rig.ts';
import { collect, INITIAL, StrictPeer } from './strict-peer.ts';

const KIB = 1024;

/** A sink that takes everything and acknowledges nothing. */
class Silent implements RawSink {
  bytes = 0;
  ends = 0;

  take(_chunk: Uint8Array, start: number, end: number): void {
    this.bytes += end - start;
  }

  ended(): void {
    this.ends++;
  }
}

describe('what a yamux stream sends', () => {
  it('is no more than the window, and the rest comes with credit', async () => {
    const peer = new StrictPeer();
    const stream = await peer.opened();
    const bytes = patternBytes(1_000_000);
    stream.send(bytes);
    await peer.heard();
    const seen = peer.stream(stream.streamId);
    assert.equal(seen.bytes.length, INITIAL);
    peer.credit(stream.streamId, 1);
    await peer.heard();
    assert.equal(seen.bytes.length, INITIAL + 1);
    peer.credit(stream.streamId, 2_000_000);
    await peer.heard();
    await turns(20);
    assert.ok(seen.bytes.equals(bytes));
  });

  it('is exact for any writes, streams and credits', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), stream: fc.nat({ max: 3 }), bytes: fc.integer({ min: 1, max: 90_000 }), raw: fc.boolean() }),
      fc.record({ kind: fc.constant('credit' as const), stream: fc.nat({ max: 3 }), bytes: fc.integer({ min: 0, max: 120_000 }) }),
      fc.record({ kind: fc.constant('turn' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
        const held = await blocksHeld();
        const peer = new StrictPeer();
        const streams = await Promise.all([0, 1, 2, 3].map(() => peer.opened()));
        const sent: Buffer[][] = [[], [], [], []];
        let seed = 1;
        for (const one of steps) {
          const stream = one.kind === 'turn' ? undefined : streams[one.stream];
          if (one.kind === 'write') {
            const bytes = patternBytes(one.bytes, seed++);
            if (one.raw && stream?.writeBufferLength === 0) {
              stream.writeRaw(bytes, 0, bytes.length);
            } else {
              stream?.send(bytes);
            }
            sent[one.stream]?.push(Buffer.from(bytes));
          } else if (one.kind === 'credit') {
            peer.credit(stream?.streamId ?? 0, one.bytes);
          } else {
            await turns(1);
          }
        }
        streams.forEach((stream) => peer.credit(stream.streamId, 10_000_000));
        await turns(60);
        streams.forEach((stream, i) => assert.ok(peer.stream(stream.streamId).bytes.equals(Buffer.concat(sent[i] ?? [])), `stream ${i}`));
        peer.muxer.abort(new Error('over'));
        peer.rig.link.abort(new Error('over'));
        await turns();
        assert.equal(await blocksHeld(), held);
      }),
      { numRuns: 40 },
    );
  });

  it('of several streams takes turns', async () => {
    const peer = new StrictPeer();
    const [first, second] = [await peer.opened(), await peer.opened()];
    peer.rig.ground.flowing = false;
    first.send(patternBytes(250_000, 1));
    second.send(patternBytes(1_000, 2));
    await turns();
    peer.rig.ground.flowing = true;
    peer.rig.ground.finish();
    await turns(3);
    assert.equal(peer.stream(second.streamId).bytes.length, 1_000, 'the short one does not wait for the whole of the long one');
  });

  it('tolerates credit beyond all bounds', async () => {
    const peer = new StrictPeer();
    const stream = await peer.opened();
    for (let i = 0; i < 1000; i++) {
      peer.rig.ground.arrive(new Uint8Array([0, 1, 0, 0, 0, 0, 0, stream.streamId, 0xff, 0xff, 0xff, 0xff]));
    }
    assert.equal(stream.sendWindow, 0xffff_ffff);
    peer.stream(stream.streamId).window = Infinity;
    stream.send(patternBytes(600_000));
    await turns(20);
    assert.equal(peer.stream(stream.streamId).bytes.length, 600_000);
    assert.equal(peer.aborted, false);
  });

  it('drains: the writer is told to wait and then to go on', async () => {
    const peer = new StrictPeer();
    const stream = await peer.opened();
    assert.equal(stream.send(patternBytes(INITIAL)), true);
    assert.equal(stream.send(patternBytes(65 * KIB)), false);
    const drained = stream.onDrain();
    peer.credit(stream.streamId, 65 * KIB);
    await drained;
    assert.equal(stream.writeBufferLength, 0);
  });
});

describe('what a yamux stream receives', () => {
  it('is credited when half of the window was read', async () => {
    const peer = new StrictPeer();
    collect(peer.open(1));
    peer.data(1, patternBytes(INITIAL / 2 - 1));
    await peer.heard();
    assert.deepEqual(peer.stream(1).updates, []);
    peer.data(1, Uint8Array.of(1));
    await peer.heard();
    assert.deepEqual(peer.stream(1).updates, [INITIAL / 2]);
    assert.equal(peer.stream(1).credit, INITIAL);
  });

  it('may fill the window, and one byte more is a protocol error', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    peer.data(1, patternBytes(INITIAL));
    assert.equal(stream.receiveWindow, 0);
    assert.equal(peer.aborted, false);
    peer.data(1, Uint8Array.of(1));
    assert.equal(peer.aborted, true);
    assert.deepEqual(peer.goAwayCodes(), [1]);
    assert.equal(stream.status, 'reset');
    assert.ok(peer.rig.connection.resetWith !== undefined);
  });

  it('is refused by its header alone', () => {
    const peer = new StrictPeer();
    peer.open(1);
    peer.send({ type: DATA, id: 1, length: INITIAL + 1, body: new Uint8Array(0) });
    assert.deepEqual([peer.aborted, peer.goAwayCodes()], [true, [1]]);
  });

  for (const [name, hold] of [
    ['nobody listens', () => undefined],
    ['the stream is paused', (stream) => (collect(stream), stream.pause())],
    ['its credit is held', (stream) => (collect(stream), stream.sendPause())],
    ['a raw reader has not taken it', (stream) => stream.readRaw(new Silent(), INITIAL)],
  ] as [string, (stream: ReturnType<StrictPeer['open']>) => void][]) {
    it(`is not credited while ${name}`, async () => {
      const peer = new StrictPeer();
      hold(peer.open(1));
      peer.data(1, patternBytes(INITIAL));
      await peer.heard();
      assert.deepEqual(peer.stream(1).updates, []);
    });
  }

  it('is credited when a paused stream goes on', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const got = collect(stream);
    stream.pause();
    const bytes = patternBytes(INITIAL);
    peer.data(1, bytes);
    await peer.heard();
    stream.resume();
    await peer.heard();
    assert.ok(got.bytes().equals(Buffer.from(bytes)));
    assert.equal(peer.stream(1).credit, INITIAL);
  });

  it('is credited by what a raw reader takes, no more and no less', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const sink = new Silent();
    peer.data(1, patternBytes(1000));
    stream.readRaw(sink, INITIAL);
    peer.data(1, patternBytes(INITIAL - 1000));
    assert.equal(sink.bytes, INITIAL);
    stream.taken(INITIAL / 2 - 1);
    await peer.heard();
    assert.deepEqual(peer.stream(1).updates, []);
    stream.taken(1);
    stream.taken(INITIAL / 2);
    await peer.heard();
    assert.deepEqual(peer.stream(1).updates, [INITIAL / 2, INITIAL / 2]);
  });

  it('has the wider window that a raw reader asks for', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const sink = new Silent();
    stream.readRaw(sink, 1024 * KIB);
    await peer.heard();
    assert.equal(peer.stream(1).credit, 1024 * KIB);
    peer.data(1, patternBytes(1024 * KIB));
    assert.equal(peer.aborted, false);
    peer.data(1, Uint8Array.of(1));
    assert.equal(peer.aborted, true);
  });

  it('has a window that grows while the reader keeps up, to its bound', async () => {
    const peer = new StrictPeer({ maxWindowBytes: 1024 * KIB });
    collect(peer.open(1));
    for (let i = 0; i < 20; i++) {
      peer.data(1, patternBytes(128 * KIB));
      await peer.heard();
      assert.ok(peer.stream(1).credit <= 1024 * KIB);
    }
    assert.ok(peer.stream(1).credit > 512 * KIB);
    assert.equal(peer.aborted, false);
  });

  it('is held for a paused reader as far as a large window goes', async () => {
    const peer = new StrictPeer({ maxWindowBytes: 16 * 1024 * KIB });
    const stream = peer.open(1);
    const got = collect(stream);
    for (let i = 0; i < 60; i++) {
      peer.data(1, new Uint8Array(256 * KIB));
      await peer.heard();
    }
    const window = peer.stream(1).credit;
    assert.ok(window > 4 * 1024 * KIB, `${window}`);
    stream.pause();
    for (let left = window; left > 0; left -= 256 * KIB) {
      peer.data(1, new Uint8Array(Math.min(left, 256 * KIB)));
    }
    assert.equal(stream.status, 'open', 'the other side did nothing wrong');
    stream.resume();
    assert.equal(got.bytes().length, 60 * 256 * KIB + window);
  });

  it('is never promised more than the window beyond what was read, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('data' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.constantFrom({ kind: 'pause' as const }, { kind: 'resume' as const }, { kind: 'hold' as const }, { kind: 'give' as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(INITIAL, 700 * KIB), (steps, maxWindowBytes) => {
        const peer = new StrictPeer({ maxWindowBytes });
        peer.rig.ground.flowing = true;
        const stream = peer.open(1);
        const got = collect(stream);
        let sent = 0;
        for (const one of steps) {
          if (one.kind === 'data') {
            // What was promised counts when it is written, not when it has come.
            const bytes = Math.floor(one.share * stream.receiveWindow);
            if (bytes > 0) peer.data(1, patternBytes(bytes, sent + 1));
            sent += bytes;
          } else if (one.kind === 'pause' || one.kind === 'resume') {
            stream[one.kind]();
          } else if (one.kind === 'hold') {
            stream.sendPause();
          } else {
            stream.sendResume();
          }
          assert.ok(stream.receiveWindow + stream.readBufferLength <= Math.max(INITIAL, maxWindowBytes), 'held and promised');
        }
        if (stream.readStatus === 'paused') stream.resume();
        stream.sendResume();
        assert.equal(got.bytes().length, sent);
        assert.equal(peer.aborted, false);
      }),
      { numRuns: 60 },
    );
  });

  it('is credited though it is dropped, when the reader has closed', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    await stream.closeRead();
    peer.data(1, patternBytes(INITIAL));
    await peer.heard();
    assert.equal(peer.stream(1).credit, INITIAL);
    assert.equal(stream.readBufferLength, 0);
  });

  it('of a raw reader is given in order behind what waited', () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const bytes = patternBytes(5000);
    const got: Buffer[] = [];
    peer.data(1, bytes.subarray(0, 3000));
    stream.readRaw({ take: (chunk, start, end) => got.push(Buffer.from(chunk.subarray(start, end))), ended: () => got.push(Buffer.from('end')) }, INITIAL);
    peer.data(1, bytes.subarray(3000));
    peer.credit(1, 0, 4);
    assert.equal(Buffer.concat(got).toString('latin1'), `${Buffer.from(bytes).toString('latin1')}end`);
    assert.ok(peer.frames.every((frame) => frame.type === WINDOW));
  });
});
