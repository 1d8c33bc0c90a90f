import { generateKeyPair } from '@libp2p/crypto/keys';
import type { MessageStream, SecuredConnection, Stream, StreamMuxer } from '@libp2p/interface';
import { streamPair } from '@libp2p/utils';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { connect } from 'node:tls';
import { ManualClock } from '../../../src/lib/clock.ts';
import { KeepAlive } from '../../../src/transport/native/keep-alive.ts';
import { nativeYamux } from '../../../src/transport/native/yamux-muxer.ts';
import { patternBytes } from '../../support/bytes.ts';
import { settled, within } from '../../support/waiting.ts';
import { ended, exchange, makePeer, secureBoth, socketPair } from './tls-ends.ts';
import type { Ours, Peer } from './tls-ends.ts';
import { forge } from './tls-forge.ts';

const MIB = 1024 * 1024;
/** What a stalled reader may make us hold. */
const HELD_BYTES = MIB;
/** The header of a record, an alert with its type, and the tag (RFC 8446, 5.2 and 6). */
const CLOSE_NOTIFY_BYTES = 5 + 2 + 1 + 16;

const yamux = nativeYamux({ maxInboundStreams: 8, maxOutboundStreams: 8, maxWindowBytes: MIB, keepAlive: new KeepAlive(new ManualClock()) })();

/** What is special where there is no socket; tls.test.ts and tls-attack.test.ts have what holds everywhere. */
for (const kind of ['fast stream', 'public stream'] as const) {
  describe(`TLS without a socket, on the ${kind} ground`, () => {
    it('works inside of itself, for several at once', async (context) => {
      const [outbound, inbound] = await pairOf(kind, context);
      const [near, far] = [yamux.createStreamMuxer(outbound.connection), yamux.createStreamMuxer(inbound.connection)];
      const pairs: [Stream, Stream][] = [];
      for (let i = 0; i < 3; i++) {
        const arrived = nextStream(far);
        pairs.push([await near.createStream(), await within(arrived, 'a stream')]);
      }
      await Promise.all(pairs.map(async ([out, back]) => await exchange(...(await over(kind, out, back)), 1_500_000)));
      outbound.connection.abort(new Error('the test is over'));
      await ended(inbound.connection);
    });

    it('reads no more than a little for a reader that has stopped', async (context) => {
      const [near, far] = await socketPair(context);
      const [client, server] = await Promise.all([makePeer(kind), makePeer(kind)]);
      const [outbound, inbound] = await secureBoth(client, server, [near, far]);
      inbound.connection.pause();
      let sent = 0;
      while (outbound.connection.send(patternBytes(65_536))) {
        sent += 65_536;
        assert.ok(sent < 64 * MIB, 'the sender is never held back');
        await settled(1);
      }
      await settled(5);
      assert.ok(far.bytesRead < HELD_BYTES, `${far.bytesRead} bytes were read`);
      outbound.connection.abort(new Error('the test is over'));
    });

    it('says that it ends before the connection does', async (context) => {
      const us = await makePeer(kind);
      const [near, far] = await socketPair(context);
      const found = us.encrypter.secureInbound(us.over(far, 'inbound'));
      const peer = connect({ socket: near, ...(await forge({ hostKey: await generateKeyPair('Ed25519') })), ALPNProtocols: ['libp2p'], rejectUnauthorized: false });
      const { connection } = await within(found, 'a handshake');
      await settled(3);
      const [before, end] = [near.bytesRead, once(peer, 'end')];
      peer.resume();
      await Promise.all([within(connection.close(), 'a close'), within(end, 'the end')]);
      assert.equal(near.bytesRead - before, CLOSE_NOTIFY_BYTES);
    });

    it('ends when the other side ends its half underneath, without a word', async () => {
      const [near, far] = await streamPair();
      const [, inbound] = await over(kind, near, far);
      const end = ended(inbound.connection);
      await near.close();
      assert.equal(await end, undefined);
    });

    it('does not begin when the other side ends its half', async () => {
      const [near, far] = await streamPair();
      const us = await makePeer(kind);
      const hello = new Promise((resolve) => far.addEventListener('message', resolve, { once: true }));
      const found = us.encrypter.secureOutbound(near);
      await hello;
      await far.close();
      await assert.rejects(within(found, 'the end of the handshake'), /closed the connection during the TLS handshake|disconnected before secure/);
    });

    it('does not begin on a connection that is closed', async () => {
      const [, far] = await streamPair();
      far.abort(new Error('too early'));
      await assert.rejects((await makePeer(kind)).encrypter.secureInbound(far), /closed before the TLS handshake/);
    });
  });
}

async function pairOf(kind: Ours, context: TestContext): Promise<[SecuredConnection, SecuredConnection]> {
  const [client, server]: [Peer, Peer] = await Promise.all([makePeer(kind), makePeer(kind)]);
  return await secureBoth(client, server, await socketPair(context));
}

async function over(kind: Ours, near: MessageStream, far: MessageStream): Promise<[SecuredConnection, SecuredConnection]> {
  const [client, server] = await Promise.all([makePeer(kind), makePeer(kind)]);
  return await within(Promise.all([client.encrypter.secureOutbound(near, { remotePeer: server.peerId }), server.encrypter.secureInbound(far)]), 'a handshake');
}

function nextStream(muxer: StreamMuxer): Promise<Stream> {
  return new Promise((resolve) => muxer.addEventListener('stream', ({ detail }) => resolve(detail), { once: true }));
}
