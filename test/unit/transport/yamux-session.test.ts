import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeepAlive } from '../../../src/transport/native/keep-alive.ts';
import { YamuxMuxer } from '../../../src/transport/native/yamux-muxer.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { patternBytes } from '../../support/bytes.ts';
import { ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW } from './frames.ts';
import { blocksHeld, linkRig, turns } from './link-rig.ts';
import { collect, StrictPeer } from './strict-peer.ts';

const brief = (peer: StrictPeer): string[] => peer.frames.map(({ type, flags, id, length }) => [type, flags, id, length].join(':'));

describe('a yamux ping', () => {
  it('is answered with its value', async () => {
    const peer = new StrictPeer();
    peer.send({ type: PING, flags: SYN, length: 0xfedc_ba98 }, { type: PING, flags: SYN, length: 1 });
    await peer.heard();
    assert.deepEqual(brief(peer), [`${PING}:${ACK}:0:4275878552`, `${PING}:${ACK}:0:1`]);
  });

  it('that nobody asked for is ignored', async () => {
    const peer = new StrictPeer();
    peer.send({ type: PING, flags: ACK, length: 3 }, { type: PING, flags: 0, length: 3 });
    assert.deepEqual(await peer.heard(), []);
    assert.equal(peer.aborted, false);
  });

  it('of ours has SYN and a value that changes', async () => {
    const peer = new StrictPeer();
    peer.muxer.ping();
    peer.muxer.ping();
    await peer.heard();
    assert.deepEqual(brief(peer), [`${PING}:${SYN}:0:0`, `${PING}:${SYN}:0:1`]);
  });
});

describe('what breaks the protocol of yamux', () => {
  for (const [name, frame] of [
    ['an unknown type', { type: 4, length: 0 }],
    ['an unknown version', { type: PING, flags: SYN, version: 1 }],
    ['data of the session', { type: DATA, id: 0, body: Uint8Array.of(1) }],
    ['a window update of the session', { type: WINDOW, id: 0, length: 1 }],
    ['a stream with an id of ours', { type: WINDOW, flags: SYN, id: 2 }],
    ['a stream that is opened twice', { type: WINDOW, flags: SYN, id: 1 }],
  ] as const) {
    it(`ends the connection, and says why: ${name}`, async () => {
      const peer = new StrictPeer({ direction: 'inbound' });
      peer.open(1);
      peer.send(frame);
      assert.deepEqual([peer.aborted, peer.goAwayCodes()], [true, [1]], 'at once');
      assert.deepEqual([peer.muxer.status, peer.muxer.streams.length, peer.keepAlive.count], ['closed', 0, 0]);
      await turns();
      assert.deepEqual(peer.goAwayCodes(), [1], 'once');
    });
  }

  it('on the side that dialled, an odd id is ours', () => {
    const peer = new StrictPeer({ direction: 'outbound' });
    peer.send({ type: WINDOW, flags: SYN, id: 3 });
    assert.deepEqual(peer.goAwayCodes(), [1]);
  });

  it('is not: frames of streams that are not there', async () => {
    const peer = new StrictPeer();
    peer.data(1, patternBytes(300_000));
    peer.data(2, patternBytes(5), FIN);
    peer.credit(9, 1000);
    peer.credit(9, 0, FIN);
    peer.credit(9, 0, RST);
    peer.credit(4, 0, ACK);
    assert.deepEqual(await peer.heard(), []);
    const got = collect(peer.open(11));
    peer.data(11, Uint8Array.of(1));
    assert.deepEqual([...got.bytes()], [1], 'the frames behind them are read as ever');
  });

  it('leaves nothing behind of what was being sent', async () => {
    const held = await blocksHeld();
    const peer = new StrictPeer();
    peer.rig.ground.flowing = false;
    const stream = peer.open(1);
    stream.send(patternBytes(900_000));
    await turns();
    peer.send({ type: 77 });
    assert.equal(stream.status, 'reset');
    peer.rig.ground.finish(new Error('closed'));
    await turns();
    assert.equal(await blocksHeld(), held);
  });
});

describe('the end of a yamux session', () => {
  it('by the other side ends its streams: in order what was over, else by a reset', async () => {
    const peer = new StrictPeer();
    const [over, open] = [peer.open(1), peer.open(3)];
    peer.credit(1, 0, FIN);
    await over.close();
    peer.send({ type: GO_AWAY, length: 0 });
    assert.deepEqual([over.status, open.status, peer.muxer.status], ['closed', 'reset', 'closed']);
    await assert.rejects(peer.muxer.createStream());
    peer.credit(5, 0, SYN);
    await peer.heard();
    assert.equal(peer.frames.at(-1)?.flags, RST, 'what it still opens is refused');
  });

  for (const code of [1, 2, 99]) {
    it(`by the other side with code ${code} resets its streams and is answered once`, async () => {
      const peer = new StrictPeer();
      const stream = peer.open(1);
      peer.send({ type: GO_AWAY, length: code }, { type: GO_AWAY, length: code });
      assert.notEqual(stream.status, 'open');
      assert.equal(peer.muxer.status, 'closed');
      await peer.heard();
      assert.deepEqual(peer.goAwayCodes(), [2]);
    });
  }

  it('by us says so behind everything, and waits until it is with the kernel', async () => {
    const peer = new StrictPeer();
    const stream = peer.open(1);
    const bytes = patternBytes(200_000);
    stream.send(bytes);
    await peer.muxer.close();
    assert.ok(peer.stream(1).bytes.equals(bytes));
    assert.deepEqual(peer.frames.slice(-2).map(({ type, flags, length }) => [type, flags, length]), [[WINDOW, FIN, 0], [GO_AWAY, 0, 0]]);
    assert.equal(peer.rig.ground.pending, false);
    await assert.rejects(peer.muxer.createStream());
  });

  it('by us waits no longer than its signal for a peer that does not read', async () => {
    const held = await blocksHeld();
    const peer = new StrictPeer();
    peer.rig.ground.flowing = false;
    peer.open(1).send(patternBytes(900_000));
    await assert.rejects(peer.muxer.close({ signal: AbortSignal.timeout(20) }));
    peer.muxer.abort(new Error('too long'));
    peer.rig.connection.abort(new Error('too long'));
    peer.rig.ground.finish(new Error('too long'));
    await turns();
    assert.deepEqual([peer.muxer.streams.length, await blocksHeld()], [0, held]);
  });

  it('by an abort resets every stream and says so before the connection can be aborted too', () => {
    const peer = new StrictPeer();
    peer.open(1);
    peer.muxer.abort(new Error('no more'));
    assert.deepEqual(brief(peer).slice(-2), [`${WINDOW}:${RST}:1:0`, `${GO_AWAY}:0:0:2`]);
  });

  it('while it closes takes no more streams', async () => {
    const peer = new StrictPeer();
    peer.open(1).send(patternBytes(300_000));
    const closing = peer.muxer.close();
    peer.credit(3, 0, SYN);
    peer.credit(1, 300_000);
    await closing;
    assert.equal(peer.frames.find((frame) => frame.id === 3)?.flags, RST);
    assert.equal(peer.accepted.length, 1);
  });

  it('that came before the muxer: none is made, and nobody watches it', async () => {
    const { link, connection } = linkRig();
    connection.onTransportClosed();
    const keepAlive = new KeepAlive(new ManualClock());
    assert.throws(() => new YamuxMuxer(link, { maxInboundStreams: 1, maxOutboundStreams: 1, maxWindowBytes: 1, keepAlive }), /ended/);
    assert.equal(keepAlive.count, 0);
  });
});

describe('what came before the muxer', () => {
  it('is read first, and what follows in the same turn behind it', async () => {
    const { link, ground } = linkRig();
    const opening = [0, WINDOW, 0, SYN, 0, 0, 0, 1, 0, 0, 0, 0, 0, DATA, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 1];
    ground.arrive(Uint8Array.from(opening));
    ground.arrive(Uint8Array.of(2));
    const muxer = new YamuxMuxer(link, { maxInboundStreams: 9, maxOutboundStreams: 9, maxWindowBytes: 1, keepAlive: new KeepAlive(new ManualClock()) });
    ground.arrive(Uint8Array.of(3));
    const opened = new Promise<ReturnType<typeof collect>>((resolve) => muxer.addEventListener('stream', (event) => resolve(collect(event.detail))));
    ground.arrive(Uint8Array.of(4));
    const got = await opened;
    await turns();
    assert.deepEqual([...got.bytes()], [1, 2, 3, 4]);
  });
});
