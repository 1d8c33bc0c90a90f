import type { MessageStream, MultiaddrConnection, SecureConnectionOptions, SecuredConnection } from '@libp2p/interface';
import { multiaddrConnectionPair } from '@libp2p/utils';
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { SecureLink } from '../../../src/transport/native/link.ts';
import { patternBytes } from '../../support/bytes.ts';
import { within } from '../../support/waiting.ts';
import { cut, joinBytes } from './frames.ts';
import { blocksHeld, turns } from './link-rig.ts';
import { listeners, noiseEnd, TapConnection } from './noise-ends.ts';
import type { NoiseEnd, NoiseKind } from './noise-ends.ts';
import { socketPair } from './socket-pair.ts';

type Pair = [MultiaddrConnection, MultiaddrConnection];

const memoryPair = async (): Promise<Pair> => multiaddrConnectionPair({ outbound: { direction: 'outbound' }, inbound: { direction: 'inbound' } });

async function secure(initiator: NoiseEnd, responder: NoiseEnd, [near, far]: Pair, options: SecureConnectionOptions = {}): Promise<[SecuredConnection, SecuredConnection]> {
  return await within(Promise.all([initiator.encrypter.secureOutbound(near, options), responder.encrypter.secureInbound(far, options)]), 'the handshake');
}

/** What a secured connection delivers until there are so many bytes. */
async function receive(stream: MessageStream, bytes: number): Promise<Buffer> {
  const got: Uint8Array[] = [];
  let left = bytes;
  await within(
    new Promise<void>((resolve) => {
      stream.addEventListener('message', (event) => {
        got.push(Uint8Array.from(event.data.subarray()));
        left -= event.data.byteLength;
        if (left <= 0) resolve();
      });
    }),
    `${bytes} bytes`,
  );
  return Buffer.from(joinBytes(got));
}

async function exchange(near: MessageStream, far: MessageStream): Promise<void> {
  const [one, two] = [patternBytes(300_000, 1), patternBytes(200_000, 2)];
  const [atFar, atNear] = [receive(far, one.length), receive(near, two.length)];
  near.send(one);
  far.send(two);
  assert.ok((await atFar).equals(one) && (await atNear).equals(two));
}

describe('noise', () => {
  for (const [initiator, responder] of [['native', 'native'], ['native', 'stock'], ['stock', 'native']] as [NoiseKind, NoiseKind][]) {
    for (const [ground, makePair] of [['any stream', memoryPair], ['sockets', socketPair]] as const) {
      it(`of ${initiator} and ${responder} agree on keys, peers and a muxer, over ${ground}`, async () => {
        const [a, b] = await Promise.all([noiseEnd(initiator, ['/other', '/yamux/1.0.0']), noiseEnd(responder)]);
        const pair = await makePair();
        const [near, far] = await secure(a, b, pair);
        assert.deepEqual([near.remotePeer.toString(), far.remotePeer.toString()], [b.peerId.toString(), a.peerId.toString()]);
        assert.deepEqual([near.streamMuxer?.protocol, far.streamMuxer?.protocol], ['/yamux/1.0.0', '/yamux/1.0.0']);
        await exchange(near.connection, far.connection);
        await Promise.all([near.connection.close(), far.connection.close()]);
        assert.deepEqual(pair.map(({ status }) => status), ['closed', 'closed']);
      });
    }
  }

  it('agrees on no muxer when it must not, and fails when there is none in common', async () => {
    const [a, b, other] = await Promise.all([noiseEnd('native'), noiseEnd('stock'), noiseEnd('stock', ['/other'])]);
    const [near, far] = await secure(a, b, await memoryPair(), { skipStreamMuxerNegotiation: true });
    assert.deepEqual([near.streamMuxer, far.streamMuxer], [undefined, undefined]);
    await assert.rejects(secure(a, other, await memoryPair()), /no common muxers/);
  });

  it('refuses another peer than the one that was dialled, and leaves nothing', async () => {
    const [a, b, c] = await Promise.all([noiseEnd('native'), noiseEnd('native'), noiseEnd('native')]);
    const [near, far] = await memoryPair();
    const heard = listeners(near);
    const inbound = b.encrypter.secureInbound(far).then(() => 'secured', () => 'failed');
    await assert.rejects(a.encrypter.secureOutbound(near, { remotePeer: c.peerId }), { name: 'UnexpectedPeerError' });
    assert.equal(await within(inbound, 'the other side to notice'), 'failed');
    assert.deepEqual([near.status, far.status], ['aborted', 'reset']);
    assert.equal(listeners(near), heard);
  });
});

describe('what comes with the end of the handshake', () => {
  let native: NoiseEnd;
  let stock: NoiseEnd;
  const early = patternBytes(40, 3);
  const more = patternBytes(70_000, 4);

  before(async () => {
    [native, stock] = await Promise.all([noiseEnd('native'), noiseEnd('stock')]);
  });

  /** Handshakes with the third message and what follows it held back. */
  async function asResponder(deliver: (connection: TapConnection, bytes: Uint8Array) => Promise<void> | void): Promise<Buffer> {
    const [near, far] = [new TapConnection('outbound'), new TapConnection('inbound')];
    const held: Uint8Array[] = [];
    let messages = 0;
    near.onSent = (bytes) => (messages++ === 0 ? far.deliver(bytes) : void held.push(bytes));
    far.onSent = (bytes) => near.deliver(bytes);
    const inbound = native.encrypter.secureInbound(far);
    const outbound = await stock.encrypter.secureOutbound(near);
    outbound.connection.send(early);
    outbound.connection.send(more);
    await turns(1);
    await deliver(far, joinBytes(held));
    const { connection } = await within(inbound, 'the handshake');
    assert.ok(connection instanceof SecureLink);
    return await receive(connection, early.length + more.length);
  }

  it('is not lost, for a responder: in one packet, wherever it is divided', async () => {
    const expected = Buffer.concat([early, more]);
    const lengthOfThird = 2 + 32 + 16 + 200;
    for (let at = 1; at < lengthOfThird + 60; at += 3) {
      const got = await asResponder((connection, bytes) => cut(bytes, [at, bytes.length]).forEach((piece) => connection.deliver(piece)));
      assert.ok(got.equals(expected), `at ${at}`);
    }
  });

  it('is not lost, for a responder: in pieces that come between the microtasks', async () => {
    for (const lengths of [[1], [7, 31], [97], [300, 1, 1], [1000]]) {
      const got = await asResponder(async (connection, bytes) => {
        for (const piece of cut(bytes.subarray(0, 600), lengths)) {
          connection.deliver(piece);
          await Promise.resolve();
        }
        cut(bytes.subarray(600), [5000]).forEach((piece) => connection.deliver(piece));
      });
      assert.ok(got.equals(Buffer.concat([early, more])), lengths.join());
    }
  });

  it('is not lost, for an initiator: answered at once, in pieces of any length', async () => {
    for (const length of [1, 2, 3, 17, 58, 100, 1_000_000]) {
      const [near, far] = [new TapConnection('outbound'), new TapConnection('inbound')];
      near.onSent = (bytes) => far.deliver(bytes);
      far.onSent = (bytes) => cut(bytes, [length]).forEach((piece) => near.deliver(piece));
      const inbound = stock.encrypter.secureInbound(far).then(({ connection }) => connection.send(early));
      const { connection } = await within(native.encrypter.secureOutbound(near), 'the handshake');
      assert.ok((await receive(connection, early.length)).equals(early), `pieces of ${length}`);
      await inbound;
    }
  });

  it('is delivered before anything that comes later, though the link is new', async () => {
    const pair = await socketPair();
    const [near, far] = await secure(stock, native, pair);
    const expected = patternBytes(500_000, 6);
    cut(expected, [1, 30_000, 70_000]).forEach((piece) => near.connection.send(piece));
    assert.ok((await receive(far.connection, expected.length)).equals(expected));
    pair.forEach((connection) => connection.abort(new Error('over')));
  });
});

describe('a handshake that is interrupted', () => {
  const ways: [string, (near: MultiaddrConnection, far: MultiaddrConnection, giveUp: AbortController) => void][] = [
    ['by the other side\'s abort', (_near, far) => far.abort(new Error('no more'))],
    ['by the other side\'s close', (_near, far) => void far.close()],
    ['by our own abort', (near) => near.abort(new Error('no more'))],
    ['by garbage', (_near, far) => [96, 120].forEach((length) => far.send(joinBytes([Uint8Array.of(0, length), patternBytes(length, 9)])))],
    ['by a message that claims to be long, and the deadline', (_near, far, giveUp) => {
      far.send(Uint8Array.of(0xff, 0xff, 1, 2, 3));
      setImmediate(() => giveUp.abort(new Error('too long')));
    }],
    ['by an empty message', (_near, far) => far.send(new Uint8Array(2))],
    ['by silence, and the deadline', (_near, _far, giveUp) => setImmediate(() => giveUp.abort(new Error('too long')))],
  ];
  for (const [name, interrupt] of ways) {
    for (const role of ['initiator', 'responder'] as const) {
      for (const [ground, makePair] of [['any stream', memoryPair], ['sockets', socketPair]] as const) {
        it(`${name} fails, as ${role} over ${ground}, and leaves nothing`, async () => {
          const held = await blocksHeld();
          const end = await noiseEnd('native');
          const [near, far] = await makePair();
          const heard = listeners(near);
          const giveUp = new AbortController();
          const handshake = role === 'initiator' ? end.encrypter.secureOutbound(near, { signal: giveUp.signal }) : end.encrypter.secureInbound(near, { signal: giveUp.signal });
          const failed = assert.rejects(within(handshake, 'the end'));
          interrupt(near, far, giveUp);
          await failed;
          assert.notEqual(near.status, 'open');
          assert.equal(listeners(near), heard);
          far.abort(new Error('over'));
          assert.equal(await blocksHeld(), held);
        });
      }
    }
  }
});
