import { multiaddrConnectionPair } from '@libp2p/utils';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { PLAIN, SecureLink } from '../../../src/transport/native/link.ts';
import { SocketGround, StreamGround } from '../../../src/transport/native/ground.ts';
import { patternBytes } from '../../support/bytes.ts';
import { until, within } from '../../support/waiting.ts';
import { blocksHeld, linkRig, turns } from './link-rig.ts';
import { rawSocketPair, socketPair } from './socket-pair.ts';

describe('SecureLink', () => {
  it('sends what is sent, in order, and tells a stock muxer to wait and to go on', async () => {
    const held = await blocksHeld();
    const { link, ground } = linkRig();
    const bytes = patternBytes(1_000_000);
    assert.equal(link.send(bytes), false);
    await link.onDrain();
    while (link.writeBufferLength > 0) await turns(1);
    await link.flushed();
    assert.ok(Buffer.concat(ground.left).equals(bytes));
    assert.equal(await blocksHeld(), held);
  });

  it('closes behind what was sent', async () => {
    const { link, ground, connection } = linkRig();
    link.send(patternBytes(50_000));
    await link.close();
    assert.deepEqual([Buffer.concat(ground.left).length, connection.closings, link.status], [50_000, 1, 'closed']);
  });

  it('waits with the close no longer than its signal', async () => {
    const { link, ground } = linkRig();
    ground.flowing = false;
    link.send(patternBytes(50_000));
    await assert.rejects(link.close({ signal: AbortSignal.timeout(10) }));
  });

  it('ends as its connection ends: in order, by our abort, by theirs', () => {
    for (const [end, status] of [['onTransportClosed', 'closed'], ['abort', 'aborted'], ['onRemoteReset', 'reset']] as const) {
      const { link, connection } = linkRig();
      let closes = 0;
      link.addEventListener('close', () => closes++);
      connection[end](end === 'abort' ? new Error('no more') : (undefined as never));
      assert.deepEqual([link.status, closes], [status, 1]);
      assert.equal(link.outgoing.room(1), 0);
    }
  });

  it('aborts its connection when a write fails', async () => {
    const { link, ground, connection } = linkRig();
    ground.flowing = false;
    link.send(patternBytes(5000));
    await turns();
    ground.finish(new Error('EPIPE'));
    assert.deepEqual([link.status, connection.resetWith?.message], ['aborted', 'EPIPE']);
  });

  it('does not abort a connection that is closing, whatever comes meanwhile: that would lose what it sends', async () => {
    const [near, far] = await socketPair();
    const { socket } = near.takeSocket();
    const link = new SecureLink({ connection: near, ground: new SocketGround(socket), ...PLAIN });
    const bytes = patternBytes(6_000_000);
    far.pause();
    const got: Buffer[] = [];
    far.addEventListener('message', (event) => got.push(Buffer.from(event.data.subarray())));
    socket.write(bytes);
    const closing = near.close();
    // An answer to something that came in this moment.
    link.send(Uint8Array.of(1));
    await turns();
    assert.equal(near.status, 'closing');
    far.resume();
    await within(closing, 'the close');
    await until(() => far.status === 'closed', 'the other side to close');
    assert.ok(Buffer.concat(got).equals(bytes));
    assert.equal(link.status, 'closed');
  });

  it('on a connection that ended before it says so', async () => {
    const { connection } = linkRig();
    connection.onTransportClosed();
    const link = new SecureLink({ connection, ground: { open: () => undefined, write: () => undefined, writeOwned: () => undefined, pause: () => undefined, resume: () => undefined }, ...PLAIN });
    await within(new Promise((resolve) => link.addEventListener('close', resolve)), 'the end');
    assert.equal(link.status, 'closed');
  });

  it('reads what came before it was made first', () => {
    const got: number[] = [];
    const { link, ground } = linkRig('inbound', { early: Uint8Array.of(1, 2) });
    link.addEventListener('message', (event) => got.push(...event.data.subarray()));
    ground.arrive(Uint8Array.of(3));
    assert.deepEqual(got, [1, 2, 3]);
  });

  it('keeps what comes until there is a muxer, in memory of its own', async () => {
    const { link, ground } = linkRig();
    ground.arrive(patternBytes(1000));
    ground.arrive(patternBytes(1000, 2));
    const got: Buffer[] = [];
    link.addEventListener('message', (event) => got.push(Buffer.from(event.data.subarray())));
    await turns();
    assert.ok(Buffer.concat(got).equals(Buffer.concat([patternBytes(1000), patternBytes(1000, 2)])));
  });
});

describe('SocketGround', () => {
  it('says that a write failed, and raises no error, when the socket has ended', async () => {
    const [near, far] = await rawSocketPair();
    far.resume();
    const ground = new SocketGround(near);
    near.end();
    const error = await new Promise<Error | null | undefined>((resolve) => ground.write(Buffer.from('x'), resolve));
    assert.match(String(error), /closed/);
    near.destroy();
    const again = await new Promise<Error | null | undefined>((resolve) => ground.write(Buffer.from('x'), resolve));
    assert.match(String(again), /closed/);
    far.destroy();
  });

  it('tells that a write will not be done when the socket is destroyed under it', async () => {
    const [near, far] = await rawSocketPair();
    far.on('error', () => undefined);
    far.pause();
    near.on('error', () => undefined);
    const ground = new SocketGround(near);
    const done = new Promise((resolve) => ground.write(patternBuffer(30_000_000), resolve));
    await turns();
    near.destroy();
    await within(done, 'the callback');
    far.destroy();
    if (!far.closed) await once(far, 'close');
  });
});

const patternBuffer = (bytes: number): Buffer => Buffer.alloc(bytes, 7);

describe('StreamGround', () => {
  it('can be paused and resumed whatever the state of its stream: nothing is thrown', async () => {
    const [near, far] = multiaddrConnectionPair();
    const ground = new StreamGround(near);
    ground.open(() => undefined);
    const inEveryState = (): void => {
      ground.pause();
      ground.pause();
      ground.resume();
      ground.resume();
    };
    inEveryState();
    const state = near as typeof near & { readStatus: string };
    state.readStatus = 'closed';
    inEveryState();
    state.readStatus = 'readable';
    await far.close();
    inEveryState();
    near.abort(new Error('over'));
    inEveryState();
  });

  it('ends a write that waits for the stream when the stream ends', async () => {
    const [near] = multiaddrConnectionPair({ capacity: 1, delay: 1000 });
    const ground = new StreamGround(near);
    ground.open(() => undefined);
    const done = new Promise<unknown>((resolve) => ground.write(Buffer.alloc(200_000), resolve));
    await turns();
    near.abort(new Error('over'));
    assert.ok((await within(done, 'the end')) instanceof Error);
    const after = await new Promise<unknown>((resolve) => ground.write(Buffer.alloc(2), resolve));
    assert.ok(after instanceof Error);
  });

  it('has the stream keep nothing of what it was given', async () => {
    const [near, far] = multiaddrConnectionPair();
    const ground = new StreamGround(near);
    ground.open(() => undefined);
    const bytes = Buffer.alloc(1000, 1);
    const got = new Promise<Uint8Array>((resolve) => far.addEventListener('message', (event) => resolve(event.data.subarray())));
    await new Promise((resolve) => ground.write(bytes, resolve));
    bytes.fill(2);
    assert.ok((await got).every((byte) => byte === 1));
  });
});
