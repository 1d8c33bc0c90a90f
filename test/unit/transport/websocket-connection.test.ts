import type { MultiaddrConnection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls, rootCertificates, setDefaultCACertificates } from 'node:tls';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { WebSocketConnection } from '../../../src/transport/websocket/connection.ts';
import { patternBytes } from '../../support/bytes.ts';
import { settled, until, within } from '../../support/waiting.ts';
import { authority, listening, plainUpgrader, rawSocket, readAll } from './websocket-rig.ts';
import type { Rig } from './websocket-rig.ts';

const MiB = 1024 * 1024;
const patience = (): AbortSignal => AbortSignal.timeout(10_000);
const GET = 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
/** Bytes of libp2p's first line, and of nothing known. */
const MULTISTREAM = Buffer.from('\u0013/multistream/1.0.0\n');

/** Node's own client, as another implementation. */
async function nodeClient(context: TestContext, url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  context.after(() => socket.close());
  await within(once(socket, 'open'), 'the client to be open');
  return socket;
}

async function closeOf(socket: WebSocket): Promise<number> {
  const [event] = (await within(once(socket, 'close'), 'the close')) as [CloseEvent];
  return event.code;
}

async function ourDial(rig: Rig, kind: string): Promise<WebSocketConnection> {
  return (await rig.ws.dial(multiaddr(`/ip4/127.0.0.1/tcp/${rig.port}${kind}`), { signal: patience(), upgrader: plainUpgrader() })) as unknown as WebSocketConnection;
}

/** Everything until the server closes. */
async function answerOf(socket: Socket): Promise<string> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  if (!socket.closed) await within(new Promise((resolve) => socket.once('close', resolve)), 'the server to close');
  return Buffer.concat(pieces).toString('latin1');
}

describe('a WebSocket listener', () => {
  for (const [kind, scheme] of [['/ws', 'ws'], ['/tls/ws', 'wss']] as const) {
    it(`carries bytes both ways for another implementation: ${kind}`, async (context) => {
      const rig = await listening(context, [kind]);
      assert.deepEqual(rig.addrs.map(String), [`/ip4/127.0.0.1/tcp/${rig.port}${kind}`]);
      const client = await nodeClient(context, `${scheme}://localhost:${rig.port}`);
      const ours = await rig.accepted();
      assert.match(ours.remoteAddr.toString(), new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/\\d+${kind}$`));
      ours.addEventListener('message', ({ data }) => void ours.send(data));
      const sent = patternBytes(300_000);
      const back: Uint8Array[] = [];
      client.addEventListener('message', ({ data }) => back.push(new Uint8Array(data as ArrayBuffer)));
      client.send(new Uint8Array(sent));
      await until(() => Buffer.concat(back).length >= sent.length, 'the echo');
      assert.ok(Buffer.concat(back).equals(sent));
      const closed = closeOf(client);
      await ours.close();
      assert.equal(await closed, 1000);
    });
  }

  it('closes in good order when the client does', async (context) => {
    const rig = await listening(context, ['/ws']);
    const client = await nodeClient(context, `ws://127.0.0.1:${rig.port}`);
    const ours = await rig.accepted();
    const closed = Promise.all([once(ours, 'close') as Promise<[{ error?: Error }]>, closeOf(client)]);
    client.close(1000);
    const [[event], code] = await within(closed, 'both sides to close');
    assert.deepEqual([event.error, code], [undefined, 1000]);
  });

  it('refuses text, and says so', async (context) => {
    const rig = await listening(context, ['/ws']);
    const client = await nodeClient(context, `ws://127.0.0.1:${rig.port}`);
    const closed = closeOf(client);
    client.send('hello');
    assert.equal(await closed, 1003);
  });

  it('answers pings, and the last of many to a peer that does not read', async (context) => {
    const rig = await listening(context, ['/ws']);
    const socket = await rawSocket(context, rig.port);
    socket.write(GET);
    await until(() => socket.bytesRead > 0, 'the upgrade');
    socket.removeAllListeners('data').pause();
    const ping = (text: string): Buffer => Buffer.concat([Buffer.of(0x89, 0x80 + text.length, 0, 0, 0, 0), Buffer.from(text)]);
    socket.write(ping('one'));
    const pongs: Buffer[] = [];
    socket.on('data', (piece: Buffer) => pongs.push(piece)).resume();
    await until(() => Buffer.concat(pongs).includes('\x8a\x03one', 0, 'latin1'), 'the pong');
    socket.write(Buffer.concat(Array.from({ length: 1_000 }, (_, i) => ping(String(i)))));
    await until(() => Buffer.concat(pongs).includes('\x8a\x03999', 0, 'latin1'), 'the last pong');
    assert.ok(Buffer.concat(pongs).length < 1_000 * 4, 'not one for each');
  });

  it('reads nothing from a peer while it is paused', async (context) => {
    const rig = await listening(context, ['/ws']);
    const client = await nodeClient(context, `ws://127.0.0.1:${rig.port}`);
    const ours = (await rig.accepted()) as WebSocketConnection;
    let got = 0;
    ours.addEventListener('message', ({ data }) => void (got += data.byteLength));
    ours.pause();
    const total = 48 * MiB;
    for (let sent = 0; sent < total; sent += MiB) client.send(new Uint8Array(MiB));
    // The kernel fills up; then nothing moves.
    for (let last = -1; last !== client.bufferedAmount; await settled(20)) last = client.bufferedAmount;
    assert.ok(client.bufferedAmount > 16 * MiB, 'the peer is held back');
    assert.ok(ours.readBufferLength < MiB, `${ours.readBufferLength} bytes held`);
    ours.resume();
    await until(() => got === total, 'all of it', 30_000);
  });

  it('says when a peer takes no more', async (context) => {
    const rig = await listening(context, ['/ws']);
    const socket = await rawSocket(context, rig.port);
    socket.write(GET);
    await until(() => socket.bytesRead > 0, 'the upgrade');
    const ours = await rig.accepted();
    await until(() => ours.remoteAddr.toString().endsWith('/ws'), 'the upgrade on our side');
    let sent = 0;
    while (sent < 64 * MiB && ours.send(new Uint8Array(MiB))) sent += MiB;
    assert.ok(sent < 64 * MiB);
    const drained = once(ours, 'drain');
    socket.resume();
    await within(drained, 'room again');
  });

  it('hands over what had come when the encryption takes it, and then frames as they come', async (context) => {
    const rig = await listening(context, ['/tls/ws']);
    const client = await nodeClient(context, `wss://localhost:${rig.port}`);
    const ours = (await rig.accepted()) as WebSocketConnection;
    client.send(new Uint8Array([1, 2, 3]));
    await until(() => ours.readBufferLength === 3, 'the first bytes');
    const { ground, early } = ours.takeGround();
    assert.deepEqual([...early], [1, 2, 3]);
    const got: number[] = [];
    ground.open((chunk, start, end) => void got.push(...chunk.subarray(start, end)));
    client.send(new Uint8Array([4, 5]));
    await until(() => got.length === 2, 'the next');
    assert.deepEqual(got, [4, 5]);
  });

  it('tells a page, an old browser and a stranger what is spoken here', async (context) => {
    const rig = await listening(context, ['/ws']);
    const [page, stranger] = [await rawSocket(context, rig.port), await rawSocket(context, rig.port)];
    page.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    stranger.write('HELO\r\n\r\n');
    assert.match(await answerOf(page), /^HTTP\/1\.1 426 Upgrade Required\r\n[^]*libp2p/);
    assert.match(await answerOf(stranger), /^HTTP\/1\.1 400 /);
  });

  it('lets no peer of TCP wait for an answer', async (context) => {
    for (const kind of ['/ws', '/tls/ws']) {
      const rig = await listening(context, [kind]);
      const socket = await rawSocket(context, rig.port);
      socket.write(MULTISTREAM);
      assert.doesNotMatch(await answerOf(socket), /multistream/);
    }
  });

  it('ends with its sockets, whatever they have sent', async (context) => {
    const rig = await listening(context, ['/ws', '/tls/ws', '']);
    const sockets = await Promise.all(['', 'G', '\u0016\u0003', '\u0013'].map(async (first) => {
      const socket = await rawSocket(context, rig.port);
      if (first !== '') socket.write(first, 'latin1');
      return socket;
    }));
    const connections = await Promise.all(sockets.map(() => rig.accepted()));
    assert.deepEqual(connections.map(({ status }) => status), ['open', 'open', 'open', 'open']);
    const ended = Promise.all(sockets.map((socket) => answerOf(socket)));
    await Promise.all(rig.listeners.map((listener) => listener.close()));
    await ended;
  });

  it('is handed to the upgrade before it has sent anything, and heard with its first byte', async (context) => {
    const rig = await listening(context, ['/ws', '/tls/ws']);
    for (const first of ['G', '\u0016']) {
      const socket = await rawSocket(context, rig.port);
      const ours = (await rig.accepted()) as WebSocketConnection;
      let heard = false;
      const { onData } = ours;
      ours.onData = (data) => {
        heard = true;
        onData.call(ours, data);
      };
      await settled();
      assert.equal(heard, false);
      socket.write(first);
      await until(() => heard, 'the first byte');
    }
  });
});

describe('one port', () => {
  it('serves TCP, WebSocket and WebSocket over TLS: the first byte decides', async (context) => {
    const rig = await listening(context, ['', '/ws', '/tls/ws']);
    for (const kind of ['', '/ws', '/tls/ws'] as const) {
      const near = (await (kind === '' ? rig.tcp : rig.ws).dial(multiaddr(`/ip4/127.0.0.1/tcp/${rig.port}${kind}`), { signal: patience(), upgrader: plainUpgrader() })) as unknown as MultiaddrConnection;
      const far = await rig.accepted();
      const got = readAll(far);
      near.send(MULTISTREAM);
      near.send(patternBytes(200_000));
      await until(() => near.writeBufferLength === 0, 'it is written');
      await near.close();
      assert.ok((await got).equals(Buffer.concat([MULTISTREAM, patternBytes(200_000)])), kind);
      assert.match(far.remoteAddr.toString(), new RegExp(`/tcp/\\d+${kind}$`));
      assert.equal((far as WebSocketConnection).isPlain, kind === '', 'libp2p\'s TLS can have the socket of TCP');
    }
  });

  it('takes what is neither HTTP nor TLS for libp2p, where it serves TCP', async (context) => {
    const rig = await listening(context, ['', '/ws']);
    const socket = await rawSocket(context, rig.port);
    socket.end('\u0016garbage', 'latin1');
    assert.equal((await readAll(await rig.accepted())).toString('latin1'), '\u0016garbage');
  });

  it('is closed when the last of its listeners is, and can be opened again', async (context) => {
    const rig = await listening(context, ['', '/ws']);
    await rig.listeners[0]?.close();
    assert.deepEqual(rig.listeners.map((listener) => listener.getAddrs().length), [0, 1]);
    await (await ourDial(rig, '/ws')).close();
    await rig.listeners[1]?.close();
    await assert.rejects(ourDial(rig, '/ws'), /ECONNREFUSED/);
    const again = rig.ws.createListener({ upgrader: plainUpgrader() });
    await again.listen(multiaddr(`/ip4/127.0.0.1/tcp/${rig.port}/ws`));
    await again.close();
  });

  it('cannot be listened on twice for the same', async (context) => {
    const rig = await listening(context, ['/ws']);
    await assert.rejects(rig.ws.createListener({ upgrader: plainUpgrader() }).listen(multiaddr(`/ip4/127.0.0.1/tcp/${rig.port}/ws`)), { code: 'EADDRINUSE' });
    await (await ourDial(rig, '/ws')).close();
  });
});

describe('a dial over WebSocket', () => {
  for (const kind of ['/ws', '/tls/ws', '/wss', '/tls/sni/localhost/ws']) {
    it(`reaches ${kind}`, async (context) => {
      const rig = await listening(context, [kind === '/ws' ? '/ws' : '/tls/ws']);
      const near = await ourDial(rig, kind);
      const far = await rig.accepted();
      far.send(patternBytes(100_000));
      const got: Buffer[] = [];
      near.addEventListener('message', ({ data }) => got.push(Buffer.from(data.subarray())));
      await until(() => Buffer.concat(got).length === 100_000, 'the bytes');
      assert.ok(Buffer.concat(got).equals(patternBytes(100_000)));
      await near.close();
    });
  }

  it('believes no certificate for another name, that has expired, or of an unknown authority', async (context) => {
    const foreign = await listening(context, ['/tls/ws'], authority.issue({ names: ['relay.example.org'] }));
    await assert.rejects(ourDial(foreign, '/tls/ws'), /127\.0\.0\.1.*ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate/);
    await (await ourDial(foreign, '/tls/sni/relay.example.org/ws')).close();
    const old = await listening(context, ['/tls/ws'], authority.issue({ expiresAt: Date.now() - 60_000 }));
    await assert.rejects(ourDial(old, '/tls/ws'), /CERT_HAS_EXPIRED|certificate has expired/);
    const rig = await listening(context, ['/tls/ws']);
    setDefaultCACertificates([...rootCertificates]);
    await assert.rejects(ourDial(rig, '/tls/ws'), /SELF_SIGNED_CERT_IN_CHAIN|self-signed certificate/).finally(() => setDefaultCACertificates([authority.cert]));
  });

  it('says what answers in place of a relay', async (context) => {
    const rig = await listening(context, ['']);
    const dial = ourDial(rig, '/ws');
    const far = await rig.accepted();
    far.send(Buffer.from('HTTP/1.1 403 Forbidden\r\n\r\n'));
    await assert.rejects(dial, /no WebSocket there: the answer is HTTP 403/);
    const silent = ourDial(rig, '/ws');
    await (await rig.accepted()).close();
    await assert.rejects(silent, /closed before/);
  });

  it('is given up when its signal aborts, wherever it is', async (context) => {
    const rig = await listening(context, ['']);
    for (const kind of ['/ws', '/tls/ws']) {
      const giveUp = new AbortController();
      const dial = rig.ws.dial(multiaddr(`/ip4/127.0.0.1/tcp/${rig.port}${kind}`), { signal: giveUp.signal, upgrader: plainUpgrader() });
      const far = await rig.accepted();
      const ended = readAll(far);
      giveUp.abort(new Error('too late'));
      await assert.rejects(within(dial, 'the dial to fail'), /too late|aborted/);
      await ended;
    }
  });

  it('shows HTTP/1.1 to a TLS client that asks, and refuses one that speaks only HTTP/2', async (context) => {
    const rig = await listening(context, ['/tls/ws']);
    const ask = (ALPNProtocols: string[]): Promise<unknown> => {
      const socket = connectTls({ port: rig.port, host: '127.0.0.1', servername: 'localhost', ALPNProtocols });
      context.after(() => socket.destroy());
      return once(socket, 'secureConnect').then(() => socket.alpnProtocol);
    };
    assert.equal(await ask(['h2', 'http/1.1']), 'http/1.1');
    await assert.rejects(ask(['h2']), /no application protocol/);
  });
});
