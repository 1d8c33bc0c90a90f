import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { patternBytes } from '../../support/bytes.ts';
import { ACK, DATA, FIN, RST, SYN, WINDOW } from './frames.ts';
import { blocksHeld, turns } from './link-rig.ts';
import { collect, INITIAL, StrictPeer } from './strict-peer.ts';

/** Type and flags of frames of one stream, in order. */
const shapes = (peer: StrictPeer, id: number): string[] => peer.frames.filter((frame) => frame.id === id).map((frame) => `${frame.type}:${frame.flags}`);

const closed = (stream: EventTarget): Promise<unknown> => new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }));

describe('a yamux stream of ours', () => {
  it('opens with SYN at once and sends without waiting for ACK', async () => {
    const peer = new StrictPeer({ direction: 'outbound' });
    const stream = await peer.opened();
    stream.send(Uint8Array.of(1));
    await peer.heard();
    assert.equal(stream.streamId, 1);
    assert.deepEqual(shapes(peer, 1), [`${WINDOW}:${SYN}`, `${DATA}:0`]);
  });

  it('has odd ids on the side that dialled and even ids on the other', async () => {
    const dialled = new StrictPeer({ direction: 'outbound' });
    const listened = new StrictPeer({ direction: 'inbound' });
    const ids = async (peer: StrictPeer): Promise<number[]> => [(await peer.opened()).streamId, (await peer.opened()).streamId];
    assert.deepEqual([await ids(dialled), await ids(listened)], [[1, 3], [2, 4]]);
  });

  it('is gone when the other side refuses it', async () => {
    const peer = new StrictPeer();
    const stream = await peer.opened();
    peer.credit(stream.streamId, 0, RST);
    assert.equal(stream.status, 'reset');
    assert.deepEqual(peer.muxer.streams, []);
    assert.throws(() => stream.writeRaw(Uint8Array.of(1), 0, 1), /cannot write/);
  });
});

describe('a yamux stream of theirs', () => {
  for (const [name, frame] of [
    ['a window update', { type: WINDOW }],
    ['data', { type: DATA, body: Uint8Array.of(5) }],
    ['empty data', { type: DATA }],
  ] as const) {
    it(`opens with SYN on ${name}, and is acknowledged once`, async () => {
      const peer = new StrictPeer();
      peer.send({ ...frame, flags: SYN, id: 1 });
      const got = collect(peer.accepted[0] as never);
      await peer.heard();
      assert.deepEqual(shapes(peer, 1), [`${WINDOW}:${ACK}`]);
      assert.equal(got.bytes().length, 'body' in frame ? 1 : 0);
    });
  }

  it('has the credit that comes with its SYN', async () => {
    const peer = new StrictPeer();
    peer.credit(1, 1000, SYN);
    assert.equal(peer.accepted[0]?.sendWindow, INITIAL + 1000);
  });

  it('with SYN and RST in one frame is no stream', async () => {
    const peer = new StrictPeer();
    peer.credit(1, 0, SYN | RST);
    await peer.heard();
    assert.deepEqual([peer.accepted.length, peer.muxer.streams.length, peer.frames.length], [0, 0, 0]);
  });

  it('can end right behind its SYN, with data in the same frame', async () => {
    const peer = new StrictPeer();
    peer.data(1, Uint8Array.of(1, 2, 3), SYN | FIN);
    const stream = peer.accepted[0];
    assert.ok(stream !== undefined);
    const got = collect(stream);
    await turns();
    assert.deepEqual([...got.bytes()], [1, 2, 3]);
    assert.equal(stream.remoteWriteStatus, 'closed');
    const ended = closed(stream);
    await stream.close();
    await ended;
    assert.equal(stream.status, 'closed');
    await peer.heard();
    assert.deepEqual(shapes(peer, 1), [`${WINDOW}:${ACK}`, `${WINDOW}:${FIN}`]);
    assert.deepEqual(peer.muxer.streams, []);
  });
});

describe('the end of a yamux stream', () => {
  it('ends one half at a time, ours first', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const got = collect(stream);
    stream.send(Uint8Array.of(1));
    await stream.close();
    await peer.heard();
    assert.deepEqual(shapes(peer, 1).slice(1), [`${DATA}:0`, `${WINDOW}:${FIN}`]);
    assert.throws(() => stream.send(Uint8Array.of(2)));
    peer.data(1, Uint8Array.of(7));
    assert.deepEqual([[...got.bytes()], stream.status], [[7], 'open']);
    peer.data(1, Uint8Array.of(8), FIN);
    assert.deepEqual([[...got.bytes()], stream.status, got.ended()], [[7, 8], 'closed', true]);
  });

  it('ends one half at a time, theirs first', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const got = collect(stream);
    peer.data(1, Uint8Array.of(7), FIN);
    assert.deepEqual([[...got.bytes()], stream.status, stream.writeStatus], [[7], 'open', 'writable']);
    stream.send(patternBytes(1000));
    await stream.close();
    await peer.heard();
    assert.equal(peer.stream(1).bytes.length, 1000);
    assert.equal(stream.status, 'closed');
  });

  it('sends FIN behind everything, however long the window keeps it', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const bytes = patternBytes(INITIAL + 40_000);
    stream.send(bytes);
    const end = stream.close();
    await peer.heard();
    assert.equal(peer.stream(1).finned, false);
    peer.credit(1, 40_000);
    await end;
    await peer.heard();
    assert.deepEqual([peer.stream(1).bytes.equals(bytes), peer.stream(1).finned], [true, true]);
  });

  it('close() fails when the stream is reset with bytes unsent', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    stream.send(patternBytes(INITIAL + 40_000));
    const end = assert.rejects(stream.close());
    await peer.heard();
    peer.credit(1, 0, RST);
    await end;
    assert.equal(stream.status, 'reset');
    assert.equal(stream.queue.length, 0);
  });

  it('close() fails when the connection is lost with bytes unsent, and the stream is reset even if the other side had ended', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    stream.send(patternBytes(INITIAL + 40_000));
    peer.credit(1, 0, FIN);
    const end = assert.rejects(stream.close());
    await peer.heard();
    peer.rig.connection.onTransportClosed();
    await end;
    assert.equal(stream.status, 'reset');
  });

  it('is in order when the connection ends after both FIN, and a reset when one is missing', async () => {
    const peer = new StrictPeer();
    const [both, ours, theirs] = [peer.open(1), peer.open(3), peer.open(5)];
    peer.credit(1, 0, FIN);
    peer.credit(5, 0, FIN);
    await Promise.all([both.close(), ours.close()]);
    peer.rig.connection.onTransportClosed();
    assert.deepEqual([both.status, ours.status, theirs.status], ['closed', 'reset', 'reset']);
    assert.equal(peer.keepAlive.count, 0);
  });

  it('doubled is one end', () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    let ends = 0;
    stream.readRaw({ take: () => undefined, ended: () => ends++ }, INITIAL);
    peer.credit(1, 0, FIN);
    peer.credit(1, 0, FIN);
    peer.data(1, new Uint8Array(0), FIN);
    assert.equal(ends, 1);
  });

  it('is an end: what comes behind it is dropped', () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const got = collect(stream);
    peer.data(1, Uint8Array.of(1), FIN);
    peer.data(1, Uint8Array.of(2));
    assert.deepEqual([...got.bytes()], [1]);
    const raw: number[] = [];
    const other = peer.open(3);
    other.readRaw({ take: (chunk, start, end) => raw.push(...chunk.subarray(start, end)), ended: () => raw.push(-1) }, INITIAL);
    peer.data(3, Uint8Array.of(1), FIN);
    peer.data(3, Uint8Array.of(2));
    assert.deepEqual(raw, [1, -1]);
    assert.equal(peer.aborted, false);
  });
});

describe('the reset of a yamux stream', () => {
  const states: [string, (peer: StrictPeer) => Promise<ReturnType<StrictPeer['open']>>][] = [
    ['just opened by us', (peer) => peer.opened()],
    ['just opened by them', async (peer) => peer.open(1)],
    ['closed by us', async (peer) => {
      const stream = peer.open(1);
      await stream.close();
      return stream;
    }],
    ['closed by them', async (peer) => {
      const stream = peer.open(1);
      peer.credit(1, 0, FIN);
      return stream;
    }],
    ['with bytes to send', async (peer) => {
      const stream = peer.open(1);
      stream.send(patternBytes(INITIAL + 100_000));
      return stream;
    }],
    ['with bytes to read', async (peer) => {
      const stream = peer.open(1);
      peer.data(1, patternBytes(1000));
      return stream;
    }],
    ['in the middle of a frame', async (peer) => {
      const stream = peer.open(1);
      collect(stream);
      peer.sendBytes(Uint8Array.of(0, DATA, 0, 0, 0, 0, 0, 1, 0, 0, 0, 10, 1, 2, 3));
      return stream;
    }],
  ];
  for (const [name, reach] of states) {
    it(`by us, ${name}, is one RST, and frees everything`, async () => {
      const held = await blocksHeld();
      const peer = new StrictPeer();
      const stream = await reach(peer);
      stream.abort(new Error('no more'));
      stream.abort(new Error('again'));
      await peer.heard();
      assert.equal(peer.frames.filter((frame) => (frame.flags & RST) !== 0).length, 1);
      assert.deepEqual([stream.status, stream.queue.length, peer.muxer.streams.length], ['aborted', 0, 0]);
      if (name === 'in the middle of a frame') peer.sendBytes(new Uint8Array(7));
      // What the other side had sent before it knew.
      peer.data(stream.streamId, patternBytes(1000));
      peer.credit(stream.streamId, 1000);
      peer.credit(stream.streamId, 0, FIN);
      peer.credit(stream.streamId, 0, RST);
      const frames = await peer.heard();
      assert.equal(frames.filter((frame) => (frame.flags & RST) !== 0).length, 1);
      assert.equal(peer.aborted, false);
      assert.equal(await blocksHeld(), held);
    });

    if (name === 'in the middle of a frame') continue;
    it(`by them, ${name}, is answered by nothing, and frees everything`, async () => {
      const held = await blocksHeld();
      const peer = new StrictPeer();
      const stream = await reach(peer);
      await peer.news();
      peer.credit(stream.streamId, 0, RST);
      peer.credit(stream.streamId, 0, RST);
      assert.deepEqual([stream.status, stream.queue.length, peer.muxer.streams.length], ['reset', 0, 0]);
      assert.deepEqual(await peer.news(), []);
      assert.equal(await blocksHeld(), held);
    });
  }

  it('with data: the data comes first', () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const got = collect(stream);
    peer.data(1, Uint8Array.of(1, 2), RST);
    assert.deepEqual([[...got.bytes()], stream.status], [[1, 2], 'reset']);
  });

  it('by a listener while data is delivered does not disturb the other streams', () => {
    const peer = new StrictPeer();
    const [first, second] = [peer.open(1), peer.open(3)];
    first.addEventListener('message', () => first.abort(new Error('no more')));
    const got = collect(second);
    peer.send({ type: DATA, id: 1, body: patternBytes(5000) }, { type: DATA, id: 3, body: Uint8Array.of(9) });
    assert.deepEqual([...got.bytes()], [9]);
  });

  it('frees the id for another stream, which the end of the first does not touch', async () => {
    const peer = new StrictPeer({ maxInboundStreams: 1 });
    const first = peer.open(1);
    const closing = first.close();
    peer.credit(1, 0, RST);
    const second = peer.open(1);
    await closing;
    const got = collect(second);
    peer.data(1, Uint8Array.of(4));
    assert.deepEqual([...got.bytes()], [4]);
    peer.credit(3, 0, SYN);
    assert.equal(peer.accepted.length, 2, 'the limit counts it');
  });
});
