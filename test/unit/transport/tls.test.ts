import type { SecuredConnection } from '@libp2p/interface';
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { SecureLink } from '../../../src/transport/native/link.ts';
import { patternBytes } from '../../support/bytes.ts';
import { settled, within } from '../../support/waiting.ts';
import { ended, exchange, makePeer, OURS, receive, secureBoth, send, socketPair, YAMUX } from './tls-ends.ts';
import type { Kind, Peer } from './tls-ends.ts';

const PAIRS: [Kind, Kind][] = [
  ['fast', 'fast'],
  ['public', 'public'],
  ['fast', 'public'],
  ['fast', 'stock'],
  ['stock', 'fast'],
  ['public', 'stock'],
  ['stock', 'public'],
  ['fast stream', 'fast stream'],
  ['public stream', 'public stream'],
  ['fast', 'fast stream'],
  ['fast stream', 'stock'],
  ['stock', 'fast stream'],
  ['public stream', 'stock'],
  ['stock', 'public stream'],
];

describe('TLS', () => {
  for (const [near, far] of PAIRS) {
    test(`${near} dials ${far}: both know the other, agree on a muxer, and bytes go both ways`, async (context) => {
      const [client, server] = await Promise.all([makePeer(near), makePeer(far)]);
      const [outbound, inbound] = await secureBoth(client, server, await socketPair(context));
      assert.equal(outbound.remotePeer.toString(), server.peerId.toString());
      assert.equal(inbound.remotePeer.toString(), client.peerId.toString());
      assert.equal(outbound.streamMuxer?.protocol, YAMUX);
      assert.equal(inbound.streamMuxer?.protocol, YAMUX);
      await exchange(outbound, inbound, 1_500_000);
      await endsWell(outbound, inbound);
    });
  }

  for (const kind of OURS) {
    describe(`on the ${kind} ground`, () => {
      muxers(kind);
      arrivals(kind);
      endings(kind);
    });
  }

  test('the ground is the fast one on this version of Node, and nothing is logged', async (context) => {
    const [client, server] = await Promise.all([makePeer('chosen'), makePeer('chosen')]);
    const [outbound, inbound] = await secureBoth(client, server, await socketPair(context));
    await exchange(outbound, inbound, 100_000);
    assert.deepEqual([...client.lines, ...server.lines], []);
    await endsWell(outbound, inbound);
  });
});

function muxers(kind: Kind): void {
  const cases: [name: string, client: string[], server: string[], agreed: string | undefined][] = [
    ["the client's first of those that the server has", ['/b', '/a'], ['/a', '/b'], '/b'],
    ['none that both have', ['/a'], ['/b'], undefined],
    ['none at all', [], [YAMUX], undefined],
  ];
  for (const [name, ours, theirs, agreed] of cases) {
    test(`the muxer is ${name}`, async (context) => {
      const [client, server] = await Promise.all([makePeer(kind, ours), makePeer(kind, theirs)]);
      const [outbound, inbound] = await secureBoth(client, server, await socketPair(context));
      assert.equal(outbound.streamMuxer?.protocol, agreed);
      assert.equal(inbound.streamMuxer?.protocol, agreed);
      await endsWell(outbound, inbound);
    });
  }

  for (const skipping of ['client', 'server']) {
    test(`no muxer is agreed on when the ${skipping} does not want to`, async (context) => {
      const [client, server] = await Promise.all([makePeer(kind), makePeer(kind)]);
      const [near, far] = await socketPair(context);
      const options = (side: string): object => ({ skipStreamMuxerNegotiation: skipping === side });
      const both = Promise.all([
        client.encrypter.secureOutbound(client.over(near, 'outbound'), options('client')),
        server.encrypter.secureInbound(server.over(far, 'inbound'), options('server')),
      ]);
      const [outbound, inbound] = await within(both, 'a handshake');
      assert.equal(outbound.streamMuxer, undefined);
      assert.equal(inbound.streamMuxer, undefined);
      await endsWell(outbound, inbound);
    });
  }
}

/** How the ClientHello arrives: behind other bytes in one packet, cut, in crumbs. */
function arrivals(kind: Kind): void {
  const cases: [name: string, sizes: (hello: Buffer) => number[]][] = [
    ['in one piece', (hello) => [hello.length]],
    ['in two', (hello) => [3, hello.length - 3]],
    ['in pieces of 7 bytes', (hello) => Array.from({ length: Math.ceil(hello.length / 7) }, () => 7)],
  ];
  for (const [name, sizes] of cases) {
    for (const earlyPieces of [0, 1, 2]) {
      test(`a ClientHello ${name}, of which ${earlyPieces} came before TLS began`, async (context) => {
        const [client, server] = await Promise.all([makePeer('stock'), makePeer(kind)]);
        const [near, [middleNear, middleFar], far] = await withMiddle(context);
        const outbound = client.encrypter.secureOutbound(client.over(near, 'outbound'), { remotePeer: server.peerId });
        const connection = server.over(far, 'inbound');
        const [hello] = (await once(middleNear, 'data')) as [Buffer];
        middleNear.pause();
        const pieces = cut(hello, sizes(hello));
        const early = pieces.splice(0, earlyPieces);
        for (const piece of early) await written(middleFar, piece);
        if (early.length > 0) await settled(2);
        const inbound = server.encrypter.secureInbound(connection);
        for (const piece of pieces) {
          await written(middleFar, piece);
          await new Promise((resolve) => setImmediate(resolve));
        }
        middleNear.pipe(middleFar);
        middleFar.pipe(middleNear);
        const both = await within(Promise.all([outbound, inbound]), 'a handshake');
        await exchange(...both, 20_000);
        await endsWell(...both);
      });
    }
  }

  test('what the client sends with the end of its handshake waits for whoever takes the link', async (context) => {
    const [client, server] = await Promise.all([makePeer('fast'), makePeer(kind)]);
    const [near, far] = await socketPair(context);
    const bytes = patternBytes(700_000);
    const inbound = server.encrypter.secureInbound(server.over(far, 'inbound'));
    const outbound = await within(client.encrypter.secureOutbound(client.over(near, 'outbound')), 'the handshake of the client');
    const sent = send(outbound.connection, bytes);
    const { connection } = await within(inbound, 'the handshake of the server');
    await settled(3);
    assert.deepEqual(await receive(connection, bytes.length), Buffer.from(bytes));
    await sent;
    outbound.connection.abort(new Error('the test is over'));
    await ended(connection);
  });
}

function endings(kind: Kind): void {
  test('a peer that closes in the middle of the handshake makes it fail, and leaves nothing', async (context) => {
    for (const bytes of [0, 5, 300]) {
      const server = await makePeer(kind);
      const [near, far] = await socketPair(context);
      const connection = server.over(far, 'inbound');
      const inbound = server.encrypter.secureInbound(connection);
      near.on('error', () => undefined);
      if (bytes > 0) await written(near, helloOf(bytes));
      await settled(2);
      near.end();
      await assert.rejects(within(inbound, 'the end of the handshake'));
      await closedWholly(far);
      assert.notEqual(connection.status, 'open');
    }
  });

  test('a peer that resets in the middle of the handshake likewise', async (context) => {
    const client = await makePeer(kind);
    const [near, far] = await socketPair(context);
    const connection = client.over(near, 'outbound');
    const outbound = client.encrypter.secureOutbound(connection);
    await once(far, 'data');
    far.resetAndDestroy();
    await assert.rejects(within(outbound, 'the end of the handshake'));
    await closedWholly(near);
  });

  test('garbage in place of a handshake makes it fail', async (context) => {
    for (const side of ['client', 'server']) {
      const peer = await makePeer(kind);
      const [near, far] = await socketPair(context);
      near.on('error', () => undefined);
      const done = side === 'server' ? peer.encrypter.secureInbound(peer.over(far, 'inbound')) : peer.encrypter.secureOutbound(peer.over(far, 'outbound'));
      near.write(patternBytes(3000));
      await assert.rejects(within(done, 'the end of the handshake'));
      await closedWholly(far);
    }
  });

  test('a signal ends the handshake with its reason, and lets go of the signal', async (context) => {
    for (const when of ['before', 'in the middle']) {
      const server = await makePeer(kind);
      const [near, far] = await socketPair(context);
      near.on('error', () => undefined);
      const stop = new AbortController();
      const { signal } = stop;
      const reason = new Error('it takes too long');
      if (when === 'before') stop.abort(reason);
      const connection = server.over(far, 'inbound');
      const inbound = server.encrypter.secureInbound(connection, { signal });
      const failed = assert.rejects(within(inbound, 'the end of the handshake'), reason);
      await settled(2);
      stop.abort(reason);
      await failed;
      await closedWholly(far);
      assert.equal(connection.status, 'aborted');
      assert.deepEqual(getEventListeners(signal, 'abort'), []);
    }
  });

  test('a handshake that goes well leaves nothing on the signal', async (context) => {
    const [client, server] = await Promise.all([makePeer(kind), makePeer(kind)]);
    const [near, far] = await socketPair(context);
    const { signal } = new AbortController();
    const inbound = server.encrypter.secureInbound(server.over(far, 'inbound'), { signal });
    const outbound = client.encrypter.secureOutbound(client.over(near, 'outbound'), { signal });
    const both = await within(Promise.all([outbound, inbound]), 'a handshake');
    assert.deepEqual(getEventListeners(signal, 'abort'), []);
    await endsWell(...both);
  });

  test('a write after the end fails and nothing crashes', async (context) => {
    const [outbound, inbound] = await secured(kind, context);
    await endsWell(outbound, inbound);
    assert.throws(() => outbound.connection.send(Uint8Array.of(1)));
    const { outgoing } = inbound.connection as SecureLink;
    assert.equal(outgoing.room(1), 0);
    await settled(3);
  });

  test('a reset by the peer under a write ends the link with an error, and those who wait for the write', async (context) => {
    const [near, far] = await socketPair(context);
    const [client, server] = await Promise.all([makePeer(kind), makePeer(kind)]);
    const [outbound, inbound] = await secureBoth(client, server, [near, far]);
    inbound.connection.pause();
    const link = outbound.connection as SecureLink;
    for (let i = 0; i < 200 && link.send(new Uint8Array(64 * 1024)); i++) await settled(1);
    assert.ok(!link.outgoing.empty, 'nothing waits for the peer');
    const flushed = link.flushed();
    const end = ended(link);
    inbound.connection.abort(new Error('reset'));
    assert.ok((await end) instanceof Error);
    await within(flushed, 'the end of the wait for the write');
    await Promise.all([closedWholly(near), closedWholly(far)]);
  });

  test('an abort of ours is a reset to the peer', async (context) => {
    const [outbound, inbound] = await secured(kind, context);
    await exchange(outbound, inbound, 1000);
    const end = ended(inbound.connection);
    outbound.connection.abort(new Error('enough'));
    assert.ok((await end) instanceof Error);
  });

  test('an abort inside of the delivery of bytes is safe', async (context) => {
    const [outbound, inbound] = await secured(kind, context);
    const bytes = patternBytes(500_000);
    const got = new Promise<void>((resolve) => {
      inbound.connection.addEventListener('message', () => {
        inbound.connection.abort(new Error('not this'));
        resolve();
      });
    });
    const end = ended(outbound.connection);
    send(outbound.connection, bytes).catch(() => undefined);
    await within(got, 'bytes');
    await end;
  });

  test('a reader that pauses holds the sender back, and gets all when it goes on', async (context) => {
    const [outbound, inbound] = await secured(kind, context);
    const bytes = patternBytes(24 * 1024 * 1024);
    inbound.connection.pause();
    let sent = 0;
    while (sent < bytes.length && outbound.connection.send(bytes.subarray(sent, sent + 65_536))) {
      sent += 65_536;
      await settled(1);
    }
    assert.ok(sent < bytes.length, 'the sender was never held back');
    const got = receive(inbound.connection, bytes.length);
    inbound.connection.resume();
    sent += 65_536;
    while (sent < bytes.length) {
      await outbound.connection.onDrain();
      for (; sent < bytes.length && outbound.connection.send(bytes.subarray(sent, sent + 65_536)); sent += 65_536);
      sent += 65_536;
    }
    assert.ok((await got).equals(Buffer.from(bytes)));
    await endsWell(outbound, inbound);
  });
}

async function secured(kind: Kind, context: TestContext): Promise<[SecuredConnection, SecuredConnection]> {
  const [client, server]: [Peer, Peer] = await Promise.all([makePeer(kind), makePeer(kind)]);
  return await secureBoth(client, server, await socketPair(context));
}

async function endsWell(outbound: SecuredConnection, inbound: SecuredConnection): Promise<void> {
  const end = ended(inbound.connection);
  await within(outbound.connection.close(), 'a close');
  assert.equal(await end, undefined);
}

/** A TCP connection from end to end, cut open in the middle. */
async function withMiddle(context: TestContext): Promise<[near: Socket, middle: [Socket, Socket], far: Socket]> {
  const [near, middleNear] = await socketPair(context);
  const [middleFar, far] = await socketPair(context);
  [middleNear, middleFar].forEach((socket) => socket.on('error', () => undefined));
  return [near, [middleNear, middleFar], far];
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  let at = 0;
  return sizes.map((size) => bytes.subarray(at, (at += size)));
}

function written(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => socket.write(bytes, () => resolve()));
}

/** The head of a handshake record of which more should come. */
function helloOf(bytes: number): Buffer {
  return Buffer.concat([Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), Buffer.alloc(0x200)]).subarray(0, bytes);
}

async function closedWholly(socket: Socket): Promise<void> {
  if (!socket.closed) await within(once(socket, 'close').catch(() => undefined), 'the end of a socket');
}
