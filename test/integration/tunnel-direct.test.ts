import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { ManualClock } from '../../src/lib/clock.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { TUNNEL_PROTOCOL } from '../../src/tunnel/index.ts';
import type { TunnelLimits } from '../../src/tunnel/limits.ts';
import { settled } from '../support/waiting.ts';
import { TestDialler, TestServer, dialTcp, echoServer, endOf, makeSide, metric, readAll, readBytes, row, startDirectRig, startNode, until } from './tunnel-support.ts';
import type { Rig } from './tunnel-support.ts';

describe('a tunnel over a direct connection', () => {
  const server = echoServer();
  let rig: Rig;

  before(async () => {
    rig = await startDirectRig({ to: await server.start() });
  });
  after(async () => {
    await rig.stop();
    await server.stop();
  });

  it('echoes', async () => {
    const socket = await dialTcp(rig.port);
    socket.end('hello through the tunnel');
    assert.equal((await readAll(socket)).toString(), 'hello through the tunnel');
    await until(() => row(rig.forwarder).open === 0 && row(rig.exposer).open === 0, 'both sides have ended');
  });

  it('carries 100 connections at once', async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => dialTcp(rig.port)));
    await Promise.all(
      sockets.map(async (socket, i) => {
        socket.write(`number ${i} `);
        assert.equal((await readBytes(socket, `number ${i} `.length)).toString(), `number ${i} `);
      }),
    );
    assert.equal(row(rig.exposer).open, 100);
    assert.equal(await metric(rig.exposer, 'relayd_tunnel_open', { direction: 'expose' }), 100);
    const texts = sockets.map(async (socket, i) => {
      socket.end(`end ${i}`);
      assert.equal((await readAll(socket)).toString(), `end ${i}`);
    });
    await Promise.all(texts);
    await until(() => row(rig.forwarder).open === 0 && row(rig.exposer).open === 0, 'both sides have ended');
    await until(() => server.sockets.size === 0, 'the service has none');
    assert.equal(row(rig.forwarder).failed, 0);
  });

  it('counts what it carried', async () => {
    const { opened } = row(rig.forwarder);
    assert.equal(opened, 101);
    assert.equal(await metric(rig.forwarder, 'relayd_tunnel_connections_total', { direction: 'forward', outcome: 'ok' }), opened);
    assert.equal(await metric(rig.forwarder, 'relayd_tunnel_connections_total', { direction: 'expose', outcome: 'ok' }), 0);
    const sent = await metric(rig.forwarder, 'relayd_tunnel_bytes_total', { direction: 'forward', flow: 'sent' });
    assert.equal(sent, await metric(rig.exposer, 'relayd_tunnel_bytes_total', { direction: 'expose', flow: 'sent' }));
    assert.equal(sent, await metric(rig.forwarder, 'relayd_tunnel_bytes_total', { direction: 'forward', flow: 'received' }));
    assert.ok(!(await rig.exposer.registry.metrics()).includes(rig.forwarder.node.peerId.toString()));
  });
});

/** A rig whose target hands its sockets to the test. */
async function withTarget(work: (rig: Rig, server: TestServer) => Promise<void>, limits: Partial<TunnelLimits> = {}, clock?: Clock): Promise<void> {
  const server = new TestServer(() => {});
  const rig = await startDirectRig({ to: await server.start(), exposeLimits: limits, forwardLimits: limits, ...(clock === undefined ? {} : { clock }) });
  try {
    await work(rig, server);
  } finally {
    await rig.stop();
    await server.stop();
  }
}

/** A connection through the tunnel, both of its ends. */
async function open(rig: Rig, server: TestServer): Promise<{ local: Socket; remote: Socket }> {
  const [remote, local] = await Promise.all([server.next(), dialTcp(rig.port)]);
  return { local, remote };
}

async function allGone(rig: Rig, server: TestServer): Promise<void> {
  await until(() => row(rig.forwarder).open === 0 && row(rig.exposer).open === 0 && server.sockets.size === 0, 'nothing is left');
  for (const { node } of [rig.forwarder, rig.exposer]) {
    await until(() => node.getConnections().every((connection) => connection.streams.length === 0), 'no stream is left');
  }
}

describe('ends of a tunnel connection', () => {
  it('passes on the end of the service while the client can still send (HTTP/1.0)', () =>
    withTarget(async (rig, server) => {
      const { local, remote } = await open(rig, server);
      local.write('GET / HTTP/1.0\r\n\r\n');
      assert.equal((await readBytes(remote, 18)).toString(), 'GET / HTTP/1.0\r\n\r\n');
      remote.end('HTTP/1.0 200 OK\r\n\r\nbody');
      assert.equal((await readAll(local)).toString(), 'HTTP/1.0 200 OK\r\n\r\nbody');
      local.end('still here');
      assert.equal((await readAll(remote)).toString(), 'still here');
      await allGone(rig, server);
    }));

  it('passes on the end of the client while the service can still answer (nc -N)', () =>
    withTarget(async (rig, server) => {
      const { local, remote } = await open(rig, server);
      local.end('all of the input');
      assert.equal((await readAll(remote)).toString(), 'all of the input');
      remote.end('answer after the end');
      assert.equal((await readAll(local)).toString(), 'answer after the end');
      await allGone(rig, server);
    }));

  it('passes on an end without any data', () =>
    withTarget(async (rig, server) => {
      const { local, remote } = await open(rig, server);
      local.end();
      assert.equal(await endOf(remote), 'end');
      remote.end();
      assert.equal(await endOf(local), 'end');
      await allGone(rig, server);
    }));

  it('passes on a reset of the client', () =>
    withTarget(async (rig, server) => {
      const { local, remote } = await open(rig, server);
      local.write('x');
      await readBytes(remote, 1);
      local.resetAndDestroy();
      assert.equal(await endOf(remote), 'ECONNRESET');
      await allGone(rig, server);
    }));

  it('passes on a reset of the service', () =>
    withTarget(async (rig, server) => {
      const { local, remote } = await open(rig, server);
      remote.resetAndDestroy();
      assert.equal(await endOf(local), 'ECONNRESET');
      await allGone(rig, server);
    }));

  it('passes on a reset after one direction has ended', () =>
    withTarget(async (rig, server) => {
      const { local, remote } = await open(rig, server);
      local.end('done');
      assert.equal((await readAll(remote)).toString(), 'done');
      remote.write('half an ans');
      await readBytes(local, 11);
      remote.resetAndDestroy();
      assert.equal(await endOf(local), 'ECONNRESET');
      await allGone(rig, server);
    }));

  it('resets both ends when the connection under it dies, and dials again for the next', () =>
    withTarget(async (rig, server) => {
      const { local, remote } = await open(rig, server);
      local.write('x');
      await readBytes(remote, 1);
      rig.forwarder.node.getConnections().forEach((connection) => connection.abort(new Error('killed by the test')));
      assert.deepEqual(await Promise.all([endOf(local), endOf(remote)]), ['ECONNRESET', 'ECONNRESET']);
      await allGone(rig, server);
      const again = await open(rig, server);
      again.remote.end('by another way');
      assert.equal((await readAll(again.local)).toString(), 'by another way');
      assert.equal(rig.dialler.opened.length, 2);
    }));

  for (const closer of ['forwarder', 'exposer'] as const) {
    it(`does not take a connection closed in good order by the ${closer} for the end of the data`, () =>
      withTarget(async (rig, server) => {
        const { local, remote } = await open(rig, server);
        remote.write('only a part');
        await readBytes(local, 11);
        const ends = Promise.all([endOf(local), endOf(remote)]);
        await Promise.all(rig[closer].node.getConnections().map((connection) => connection.close()));
        assert.deepEqual(await ends, ['ECONNRESET', 'ECONNRESET']);
        await allGone(rig, server);
      }));
  }

  it('resets both ends when one side stops its tunnels', () =>
    withTarget(async (rig, server) => {
      const { local, remote } = await open(rig, server);
      local.write('x');
      await readBytes(remote, 1);
      const ends = Promise.all([endOf(local), endOf(remote)]);
      await rig.exposer.tunnels.stop();
      assert.deepEqual(await ends, ['ECONNRESET', 'ECONNRESET']);
      await allGone(rig, server);
    }));
});

describe('a drain', () => {
  const QUIET = { quietMs: 300 };

  it('takes nothing new, lets go on what moves, and does not wait for what stands still', () => {
    const clock = new ManualClock();
    return withTarget(async (rig, server) => {
      const idle = await open(rig, server);
      const busy = await open(rig, server);
      let over = false;
      const drained = Promise.all([rig.forwarder, rig.exposer].map(({ tunnels }) => tunnels.drain(AbortSignal.timeout(20_000)))).then(() => (over = true));
      await assert.rejects(dialTcp(rig.port), { code: 'ECONNREFUSED' });
      // Three times as long as a connection that stands still is waited for.
      for (let i = 0; i < 9; i++) {
        busy.local.write('x');
        await readBytes(busy.remote, 1);
        clock.advance(100);
        await settled();
      }
      assert.equal(over, false);
      busy.local.end('the end');
      assert.equal((await readAll(busy.remote)).toString(), 'the end');
      busy.remote.end();
      await until(() => (clock.advance(10), over), 'the drain');
      await drained;
      assert.deepEqual([row(rig.forwarder).open, row(rig.exposer).open], [1, 1], 'the idle one, which nobody has cut');
      idle.local.end('still there');
      assert.equal((await readAll(idle.remote)).toString(), 'still there');
      idle.remote.end();
      await allGone(rig, server);
    }, QUIET, clock);
  });

  it('ends when its time is over', () =>
    withTarget(async (rig, server) => {
      await open(rig, server);
      const deadline = new AbortController();
      const drained = Promise.all([rig.forwarder, rig.exposer].map(({ tunnels }) => tunnels.drain(deadline.signal)));
      deadline.abort();
      await drained;
      await rig.forwarder.tunnels.stop();
      await allGone(rig, server);
    }));
});

describe('start and stop', () => {
  it('starts again after a stop, with no port, socket or stream left in between', () =>
    withTarget(async (rig, server) => {
      const first = await open(rig, server);
      const ended = endOf(first.local);
      const { port } = rig;
      await rig.forwarder.tunnels.stop();
      assert.equal(await ended, 'ECONNRESET');
      await allGone(rig, server);
      assert.deepEqual(rig.forwarder.tunnels.forwardPorts(), [0]);
      await assert.rejects(dialTcp(port), { code: 'ECONNREFUSED' });
      await rig.exposer.tunnels.stop();
      assert.deepEqual(rig.exposer.node.getProtocols().filter((protocol) => protocol.includes('tunnel')), []);
      await rig.exposer.tunnels.start();
      await rig.forwarder.tunnels.start();
      rig.port = rig.forwarder.tunnels.forwardPorts()[0]!;
      const second = await open(rig, server);
      second.remote.end('again');
      assert.equal((await readAll(second.local)).toString(), 'again');
    }));

  it('stops without having been started, and twice', () =>
    withTarget(async (rig) => {
      const side = makeSide(rig.forwarder.node, rig.dialler, { expose: [], forward: [{ listen: { host: '127.0.0.1', port: 0 }, peer: 'x', name: 'x' }] });
      await side.tunnels.stop();
      await side.tunnels.start();
      await side.tunnels.stop();
      await side.tunnels.stop();
      assert.deepEqual(side.tunnels.forwardPorts(), [0]);
    }));

  it('registers the protocol only where something is exposed, and refuses an allow-list with something that is no peer id', () =>
    withTarget(async ({ exposer, forwarder, dialler }) => {
      assert.ok(exposer.node.getProtocols().includes(TUNNEL_PROTOCOL));
      assert.ok(!forwarder.node.getProtocols().includes(TUNNEL_PROTOCOL));
      const expose = [{ name: 'x', to: { host: '127.0.0.1', port: 1 }, allow: ['everyone'] }];
      assert.throws(() => makeSide(forwarder.node, dialler, { expose, forward: [] }), { code: 'CONFIG_INVALID' });
    }));

  it('names the key and the address when a port is in use, and leaves nothing behind', async () => {
    const [node, taken] = [await startNode(), echoServer()];
    const port = await taken.start();
    const peer = node.peerId.toString();
    const forward = [0, port].map((wanted) => ({ listen: { host: '127.0.0.1', port: wanted }, peer, name: 'x' }));
    const side = makeSide(node, new TestDialler(node, []), { expose: [{ name: 'x', to: { host: '127.0.0.1', port }, allow: [peer] }], forward });
    await assert.rejects(async () => side.tunnels.start(), {
      code: 'ADDRESS_IN_USE',
      message: `tunnels.forward[1].listen: 127.0.0.1:${port} is in use by another program`,
    });
    assert.deepEqual(side.tunnels.forwardPorts(), [0, 0]);
    await taken.stop();
    await side.tunnels.start();
    assert.equal(side.tunnels.forwardPorts()[1], port);
    await side.tunnels.stop();
    await node.stop();
  });

  it('stops while a connection is being set up', () =>
    withTarget(async (rig) => {
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      rig.dialler.dial = () => {
        resolve();
        return new Promise(() => {});
      };
      const ended = endOf(await dialTcp(rig.port));
      await asked;
      await rig.forwarder.tunnels.stop();
      assert.equal(await ended, 'ECONNRESET');
    }));
});
