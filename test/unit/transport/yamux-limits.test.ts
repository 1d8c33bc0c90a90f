import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { patternBytes } from '../../support/bytes.ts';
import { ACK, encodeFrame, joinBytes, PING, RST, SYN, WINDOW } from './frames.ts';
import { blocksHeld, turns } from './link-rig.ts';
import { collect, StrictPeer } from './strict-peer.ts';

const MAX_BACKLOG = 256;

describe('the limits of yamux', () => {
  it('of inbound streams: one more is reset, and there is room again when one ends', async () => {
    const peer = new StrictPeer({ maxInboundStreams: 2 });
    const first = peer.open(1);
    peer.open(3);
    peer.data(5, patternBytes(1000), SYN);
    await peer.heard();
    assert.deepEqual(peer.frames.filter((frame) => frame.id === 5).map((frame) => frame.flags), [RST]);
    assert.equal(peer.accepted.length, 2);
    first.abort(new Error('no more'));
    peer.open(7);
    assert.equal(peer.aborted, false);
  });

  it('of outbound streams, of which inbound ones do not count', async () => {
    const peer = new StrictPeer({ maxOutboundStreams: 2 });
    [1, 3, 5].forEach((id) => peer.open(id));
    const first = await peer.opened();
    await peer.opened();
    await assert.rejects(peer.opened(), { name: 'TooManyOutboundProtocolStreamsError' });
    first.abort(new Error('no more'));
    await peer.opened();
  });

  it('of streams that the other side has not acknowledged: the next waits for an ACK, a refusal or an end', async () => {
    const peer = new StrictPeer();
    const streams = await Promise.all(Array.from({ length: MAX_BACKLOG }, () => peer.opened()));
    const opened: number[] = [];
    for (let i = 0; i < 3; i++) void peer.opened().then((stream) => opened.push(stream.streamId));
    const counts = [];
    for (const end of [
      (id: number) => peer.credit(id, 0, ACK),
      (id: number) => peer.credit(id, 0, RST),
      (id: number) => streams.find(({ streamId }) => streamId === id)?.abort(new Error('no more')),
    ]) {
      await turns();
      counts.push(opened.length);
      end(streams[counts.length]?.streamId ?? 0);
    }
    await turns();
    assert.deepEqual([...counts, opened.length], [0, 1, 2, 3]);
  });

  it('of unacknowledged streams holds however the acknowledgements come, and the line moves on when someone leaves it', async () => {
    const peer = new StrictPeer();
    const streams = await Promise.all(Array.from({ length: MAX_BACKLOG }, () => peer.opened()));
    const giveUp = new AbortController();
    const waiting = Array.from({ length: 20 }, (_, i) => peer.muxer.createStream(i % 2 === 0 ? { signal: giveUp.signal } : {}));
    const outcomes = Promise.allSettled(waiting);
    // Acknowledged, given up and asked for in one turn.
    streams.slice(0, 10).forEach(({ streamId }) => peer.credit(streamId, 0, ACK));
    giveUp.abort(new Error('gives up'));
    const late = Array.from({ length: 5 }, () => peer.muxer.createStream());
    const settled = await outcomes;
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 10);
    await turns();
    const unacknowledged = peer.muxer.streams.length - 10;
    assert.equal(unacknowledged, MAX_BACKLOG);
    const rest = Promise.allSettled(late);
    peer.muxer.abort(new Error('over'));
    assert.ok((await rest).every(({ status }) => status === 'rejected'), 'the end of the session ends the waiting');
  });

  it('of outbound streams does not stop the line', async () => {
    const peer = new StrictPeer({ maxOutboundStreams: MAX_BACKLOG });
    const streams = await Promise.all(Array.from({ length: MAX_BACKLOG }, () => peer.opened()));
    const waiting = Promise.allSettled([peer.opened(), peer.opened(), peer.opened()]);
    peer.credit(streams[0]?.streamId ?? 0, 0, ACK);
    assert.ok((await waiting).every(({ status }) => status === 'rejected'));
  });

  it('of streams that nobody has taken yet: more are reset, and the connection lives', async () => {
    const peer = new StrictPeer({ listen: false });
    for (let i = 0; i < MAX_BACKLOG + 10; i++) peer.credit(2 * i + 1, 0, SYN);
    await peer.heard();
    assert.deepEqual([peer.frames.filter(({ flags }) => flags === ACK).length, peer.frames.filter(({ flags }) => flags === RST).length], [MAX_BACKLOG, 10]);
    let taken = 0;
    peer.muxer.addEventListener('stream', () => taken++);
    await turns();
    assert.equal(taken, MAX_BACKLOG);
    peer.credit(2001, 0, SYN);
    assert.deepEqual([taken, peer.aborted], [MAX_BACKLOG + 1, false]);
  });
});

describe('a peer that asks and does not read', () => {
  /** Sends until the muxer stops reading. Returns how many bytes that took. */
  function flood(peer: StrictPeer, chunk: (round: number) => Uint8Array): number {
    let sent = 0;
    for (let round = 0; !peer.rig.ground.paused; round++) {
      assert.ok(sent < 2_000_000, 'it stops reading');
      const bytes = chunk(round);
      peer.sendBytes(bytes);
      sent += bytes.length;
    }
    return sent;
  }

  const PINGS = 1000;
  const pings = joinBytes(Array.from({ length: PINGS }, (_, i) => encodeFrame({ type: PING, flags: SYN, length: i })));

  it('with pings: is not read any more when its answers fill a block, and is when they have left; each is answered', async () => {
    const held = await blocksHeld();
    const peer = new StrictPeer();
    peer.rig.ground.flowing = false;
    // The first write is on its way, and stays there.
    peer.sendBytes(pings.subarray(0, 12));
    await turns();
    const sent = flood(peer, () => pings);
    assert.ok((await blocksHeld()) - held <= 3, 'of which one is on its way');
    await turns();
    assert.equal(peer.rig.ground.paused, true);
    peer.rig.ground.flowing = true;
    peer.rig.ground.finish();
    await turns(10);
    assert.equal(peer.rig.ground.paused, false);
    assert.equal(peer.frames.length, sent / 12 + 1);
    assert.deepEqual(peer.frames.slice(1).map(({ length }) => length), Array.from({ length: sent / 12 }, (_, i) => i % PINGS));
    assert.equal(await blocksHeld(), held);
  });

  it('with SYN and RST: likewise, and no stream is left', async () => {
    const held = await blocksHeld();
    const peer = new StrictPeer();
    peer.rig.ground.flowing = false;
    let id = 1;
    const chunk = (): Uint8Array => {
      const frames = Array.from({ length: 400 }, () => {
        const pair = joinBytes([encodeFrame({ type: WINDOW, flags: SYN, id }), encodeFrame({ type: WINDOW, flags: RST, id })]);
        id += 2;
        return pair;
      });
      return joinBytes(frames);
    };
    peer.sendBytes(pings.subarray(0, 12));
    await turns();
    flood(peer, chunk);
    assert.ok((await blocksHeld()) - held <= 3);
    assert.deepEqual([peer.muxer.streams.length, peer.aborted], [0, false]);
    peer.rig.ground.flowing = true;
    peer.rig.ground.finish();
    await turns(10);
    assert.equal(peer.rig.ground.paused, false);
    assert.equal(await blocksHeld(), held);
  });

  it('while what it is sent waits, still gets the credit for what it sends, until nothing fits', async () => {
    const peer = new StrictPeer();
    const [mine, theirs] = [peer.open(1), peer.open(3)];
    collect(theirs);
    peer.rig.ground.flowing = false;
    mine.send(patternBytes(250_000));
    await turns();
    const before = theirs.receiveWindow;
    peer.data(3, patternBytes(200_000));
    assert.equal(theirs.receiveWindow, before, 'credited at once');
    peer.rig.ground.flowing = true;
    peer.rig.ground.finish();
    await turns(10);
    assert.deepEqual(peer.stream(3).updates, [200_000]);
    assert.equal(peer.stream(1).bytes.length, 250_000);
  });

  it('is given up when it makes us answer without being read: its answers are bounded', async () => {
    const held = await blocksHeld();
    const peer = new StrictPeer();
    peer.rig.ground.flowing = false;
    peer.sendBytes(pings.subarray(0, 12));
    await turns();
    for (let i = 0; i < 200 && !peer.aborted; i++) peer.sendBytes(pings);
    assert.equal(peer.aborted, true);
    peer.rig.ground.finish(new Error('closed'));
    assert.equal(await blocksHeld(), held);
  });
});
