import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Stream } from '@libp2p/interface';
import { readFrame, writeFrame } from '../../src/lib/circuit/frames.ts';
import { RelaydError } from '../../src/lib/errors.ts';
import { TunnelStatus, decodeAnswer, encodeRequest } from '../../src/tunnel/protocol.ts';
import type { TunnelAnswer } from '../../src/tunnel/protocol.ts';
import { TUNNEL_PROTOCOL } from '../../src/tunnel/index.ts';
import { TestServer, dialTcp, echoServer, endOfNew, metric, readAll, row, startDirectRig, startNode, until } from './tunnel-support.ts';
import type { Rig, RigOptions } from './tunnel-support.ts';

type Options = Omit<RigOptions, 'exposerNode' | 'forwarderNode' | 'addrs' | 'to'>;

async function withRig(options: Options, work: (rig: Rig, server: TestServer) => Promise<void>): Promise<void> {
  const server = echoServer();
  const rig = await startDirectRig({ ...options, to: await server.start() });
  try {
    await work(rig, server);
  } finally {
    await rig.stop();
    await server.stop();
  }
}

/** A stream of the protocol, past all that the forwarding side does. */
async function rawStream(rig: Rig): Promise<Stream> {
  return rig.forwarder.node.dialProtocol(rig.exposer.node.getMultiaddrs(), TUNNEL_PROTOCOL);
}

async function answerOn(stream: Stream): Promise<TunnelAnswer> {
  return decodeAnswer(await readFrame(stream, { signal: AbortSignal.timeout(5000) }));
}

async function ask(rig: Rig, name: string): Promise<TunnelAnswer> {
  const stream = await rawStream(rig);
  writeFrame(stream, encodeRequest({ name }));
  const answer = await answerOn(stream);
  await stream.close();
  return answer;
}

const someoneElse = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5';

describe('a tunnel refuses', () => {
  it('a peer that is not allowed, and says why only on the exposing side', () =>
    withRig({ allow: [someoneElse] }, async (rig, server) => {
      assert.equal(await endOfNew(rig.port), 'ECONNRESET');
      assert.match(row(rig.forwarder).lastError ?? '', /UNKNOWN_OR_FORBIDDEN/);
      assert.deepEqual([row(rig.forwarder).refused, row(rig.forwarder).failed, row(rig.forwarder).opened], [1, 0, 0]);
      assert.equal(row(rig.exposer).refused, 1);
      const line = rig.exposer.lines.find(({ error }) => error?.includes('allow-list'));
      assert.deepEqual([line?.['peer'], line?.['tunnel'], line?.level], [rig.forwarder.node.peerId.toString(), 'echo', 40]);
      assert.equal(await metric(rig.exposer, 'relayd_tunnel_connections_total', { direction: 'expose', outcome: 'refused' }), 1);
      assert.equal(server.sockets.size, 0);
    }));

  it('a service that is not there with the same answer as one that is not for the peer', () =>
    withRig({ allow: [someoneElse] }, async (rig) => {
      const [there, notThere] = [await ask(rig, 'echo'), await ask(rig, 'nothing')];
      assert.deepEqual(there, notThere);
      assert.equal(there.status, TunnelStatus.UNKNOWN_OR_FORBIDDEN);
    }));

  it('an unknown service of a peer that may use another', () =>
    withRig({ names: ['nothing'] }, async (rig) => {
      assert.equal(await endOfNew(rig.port), 'ECONNRESET');
      assert.equal(row(rig.forwarder).refused, 1);
      assert.equal(row(rig.exposer).refused, 0);
      assert.ok(rig.exposer.lines.some(({ error }) => error?.includes('there is no service "nothing"')));
    }));

  it('more connections than a tunnel takes, on the forwarding side', () =>
    withRig({ forwardLimits: { socketsPerTunnel: 2 } }, async (rig, server) => {
      const sockets = [await dialTcp(rig.port), await dialTcp(rig.port)];
      await until(() => row(rig.forwarder).open === 2, 'two are open');
      assert.equal(await endOfNew(rig.port), 'ECONNRESET');
      assert.equal(row(rig.forwarder).refused, 1);
      await until(() => server.sockets.size === 2, 'the service has those two');
      sockets.forEach((socket) => socket.destroy());
    }));

  it('more connections than a tunnel takes, on the exposing side, and takes the next when one has ended', () =>
    withRig({ exposeLimits: { socketsPerTunnel: 1 } }, async (rig) => {
      const first = await dialTcp(rig.port);
      await until(() => row(rig.exposer).open === 1, 'one is open');
      assert.equal(await endOfNew(rig.port), 'ECONNRESET');
      assert.match(row(rig.forwarder).lastError ?? '', /OVERLOADED/);
      first.end();
      await readAll(first);
      await until(() => row(rig.exposer).open === 0, 'none is open');
      const second = await dialTcp(rig.port);
      second.end('room again');
      assert.equal((await readAll(second)).toString(), 'room again');
    }));
});

describe('a tunnel fails', () => {
  it('when the service does not answer, without telling the peer where it is', () =>
    withRig({}, async (rig, server) => {
      await server.stop();
      assert.equal(await endOfNew(rig.port), 'ECONNRESET');
      assert.deepEqual([row(rig.forwarder).failed, row(rig.exposer).failed], [1, 1]);
      assert.match(row(rig.exposer).lastError ?? '', /could not connect to 127\.0\.0\.1:\d+: connect ECONNREFUSED/);
      assert.match(row(rig.forwarder).lastError ?? '', /UNREACHABLE/);
      assert.doesNotMatch(row(rig.forwarder).lastError ?? '', /127\.0\.0\.1/);
      assert.equal(await metric(rig.forwarder, 'relayd_tunnel_connections_total', { direction: 'forward', outcome: 'failed' }), 1);
    }));

  it('when no way to the peer is found, with a line that says which tunnel and why', () =>
    withRig({}, async (rig) => {
      rig.dialler.failWith = new RelaydError('NO_ADDRESS', 'no address of the peer is known');
      assert.equal(await endOfNew(rig.port), 'ECONNRESET');
      const line = rig.forwarder.lines.find(({ level }) => level === 40);
      assert.deepEqual([line?.['tunnel'], line?.['listen'], line?.error], ['echo', `127.0.0.1:${rig.port}`, 'no address of the peer is known']);
      rig.dialler.failWith = undefined;
      const socket = await dialTcp(rig.port);
      socket.end('works again');
      assert.equal((await readAll(socket)).toString(), 'works again');
    }));

  it('when the peer has no tunnels at all, and keeps the connection to it', () =>
    withRig({}, async (rig) => {
      await rig.exposer.tunnels.stop();
      assert.equal(await endOfNew(rig.port), 'ECONNRESET');
      assert.equal(row(rig.forwarder).failed, 1);
      assert.equal(rig.forwarder.node.getConnections().length, 1);
    }));

  it('quietly after a while: a client that keeps trying does not fill the log', () =>
    withRig({}, async (rig) => {
      rig.dialler.failWith = new RelaydError('NO_ADDRESS', 'none');
      for (let i = 0; i < 40; i++) await endOfNew(rig.port);
      assert.equal(row(rig.forwarder).failed, 40);
      assert.ok(rig.forwarder.lines.length <= 15, `${rig.forwarder.lines.length} lines`);
    }));
});

describe('the exposing side answers a peer that does not keep to the protocol', () => {
  for (const [what, bytes] of [
    ['an empty frame', Uint8Array.of(0)],
    ['a frame that is too long', Uint8Array.of(0x81, 0x10)],
    ['a length that does not end', new Uint8Array(8).fill(0xff)],
    ['a request without a name', Uint8Array.of(2, 0x48, 1)],
    ['bytes that are no message', Uint8Array.of(3, 0x0a, 9, 9)],
  ] as const) {
    it(`${what}: MALFORMED`, () =>
      withRig({}, async (rig) => {
        const stream = await rawStream(rig);
        stream.send(bytes);
        assert.equal((await answerOn(stream)).status, TunnelStatus.MALFORMED);
        await stream.close();
        await until(() => rig.exposer.node.getConnections().every(({ streams }) => streams.length === 0), 'the stream is gone');
      }));
  }

  it('silence: it ends when the time is over, and a stream left open is reset', () =>
    withRig({ exposeLimits: { requestMs: 50, lingerMs: 50 } }, async (rig) => {
      const stream = await rawStream(rig);
      const closed = new Promise<{ error?: Error }>((resolve) => stream.addEventListener('close', resolve));
      assert.equal((await answerOn(stream)).status, TunnelStatus.MALFORMED);
      assert.equal((await closed).error?.name, 'StreamResetError');
    }));

  it('silent strangers: they do not keep a known peer out', () =>
    withRig({ exposeLimits: { pendingStrangers: 2 } }, async (rig) => {
      const stranger = await startNode();
      const silent: Stream[] = [];
      for (let i = 0; i < 4; i++) {
        silent.push(await stranger.dialProtocol(rig.exposer.node.getMultiaddrs(), TUNNEL_PROTOCOL));
      }
      await until(() => silent.filter(({ status }) => status === 'open').length === 2, 'all but two are reset');
      const socket = await dialTcp(rig.port);
      socket.end('let in');
      assert.equal((await readAll(socket)).toString(), 'let in');
      await stranger.stop();
    }));

  it('data in front of the answer: it reaches the service, in order', () =>
    withRig({}, async (rig) => {
      const stream = await rawStream(rig);
      writeFrame(stream, encodeRequest({ name: 'echo' }));
      stream.send(Buffer.from('early '));
      assert.equal((await answerOn(stream)).status, TunnelStatus.OK);
      const got: Buffer[] = [];
      const ended = new Promise((resolve) => stream.addEventListener('end', resolve));
      stream.addEventListener('message', ({ data }) => got.push(Buffer.from(data.subarray())));
      stream.send(Buffer.from('and late'));
      await stream.close();
      await ended;
      assert.equal(Buffer.concat(got).toString(), 'early and late');
    }));

  it('a request and a reset: nothing stays behind', () =>
    withRig({}, async (rig, server) => {
      for (let i = 0; i < 20; i++) {
        const stream = await rawStream(rig);
        writeFrame(stream, encodeRequest({ name: 'echo' }));
        stream.abort(new Error('gone'));
      }
      await ask(rig, 'nothing');
      await until(() => row(rig.exposer).open === 0 && server.sockets.size === 0, 'nothing is open');
    }));
});
