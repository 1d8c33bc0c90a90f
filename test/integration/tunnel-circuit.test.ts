import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { KiB, MiB, TestServer, dialTcp, endOf, hashAll, readAll, readBytes, row, startClient, startRelay, startRig, until, writeRandom } from './tunnel-support.ts';
import type { Rig } from './tunnel-support.ts';

describe('a tunnel over circuits of two relays', () => {
  const server = new TestServer(() => {}, { pauseOnConnect: true });
  let relays: Libp2p[];
  let rig: Rig;

  before(async () => {
    relays = [await startRelay(), await startRelay()];
    const exposerNode = await startClient(relays);
    await until(() => exposerNode.getMultiaddrs().length === 2, 'two reservations');
    const forwarderNode = await startClient([]);
    const addrs = relays.map((relay) => multiaddr(`${String(relay.getMultiaddrs()[0])}/p2p-circuit/p2p/${exposerNode.peerId.toString()}`));
    rig = await startRig({ exposerNode, forwarderNode, addrs, to: await server.start() });
  });
  after(async () => {
    await rig.stop();
    for (const relay of relays) await relay.stop();
    await server.stop();
  });

  async function open(): Promise<{ local: Socket; remote: Socket }> {
    const [remote, local] = await Promise.all([server.next(), dialTcp(rig.port)]);
    return { local, remote };
  }

  it('carries bytes and ends both ways', async () => {
    const { local, remote } = await open();
    assert.ok(rig.dialler.opened[0]?.remoteAddr.toString().includes('/p2p-circuit'));
    local.end('request');
    assert.equal((await readAll(remote)).toString(), 'request');
    remote.end('answer');
    assert.equal((await readAll(local)).toString(), 'answer');
    await until(() => row(rig.forwarder).open === 0 && row(rig.exposer).open === 0, 'both have ended');
  });

  it('carries 16 MiB each way at once', { timeout: 60_000 }, async () => {
    const { local, remote } = await open();
    const reads = [hashAll(local), hashAll(remote)];
    const [up, down] = await Promise.all([writeRandom(local, 16 * MiB, 1), writeRandom(remote, 16 * MiB, 2)]);
    const [atLocal, atRemote] = await Promise.all(reads);
    assert.deepEqual([atLocal?.sha256, atRemote?.sha256], [down, up]);
  });

  it('resets both ends when the relay dies, and goes through the other relay next', async () => {
    const { local, remote } = await open();
    local.write('x');
    await readBytes(remote, 1);
    const used = rig.forwarder.node.getConnections().find(({ remoteAddr }) => remoteAddr.toString().includes('/p2p-circuit'));
    const relay = relays.find(({ peerId }) => used?.remoteAddr.toString().includes(peerId.toString()));
    const ends = Promise.all([endOf(local), endOf(remote)]);
    relay?.getConnections().forEach((connection) => connection.abort(new Error('killed by the test')));
    await relay?.stop();
    assert.deepEqual(await ends, ['ECONNRESET', 'ECONNRESET']);
    await until(() => row(rig.forwarder).failed === 1 && row(rig.exposer).failed === 1, 'both to count it');
    for (const side of [rig.forwarder, rig.exposer]) assert.match(row(side).lastError ?? '', /^the circuit was cut: the relay or the peer is gone/);
    const again = await open();
    again.remote.end('through the other');
    assert.equal((await readAll(again.local)).toString(), 'through the other');
    again.local.destroy();
  });
});

describe('a tunnel over a circuit that carries 128 KiB', () => {
  const server = new TestServer(() => {}, { pauseOnConnect: true });
  let relay: Libp2p;
  let rig: Rig;

  before(async () => {
    relay = await startRelay(BigInt(128 * KiB));
    const exposerNode = await startClient([relay]);
    await until(() => exposerNode.getMultiaddrs().length === 1, 'a reservation');
    const addrs = [multiaddr(`${String(relay.getMultiaddrs()[0])}/p2p-circuit/p2p/${exposerNode.peerId.toString()}`)];
    rig = await startRig({ exposerNode, forwarderNode: await startClient([]), addrs, to: await server.start() });
  });
  after(async () => {
    await rig.stop();
    await relay.stop();
    await server.stop();
  });

  it('says that the circuit was cut, and counts that as a failure on both sides', async () => {
    const [remote, local] = await Promise.all([server.next(), dialTcp(rig.port)]);
    const ends = Promise.all([endOf(local), endOf(remote)]);
    local.on('error', () => {}).write(Buffer.alloc(256 * KiB));
    remote.resume();
    assert.deepEqual(await ends, ['ECONNRESET', 'ECONNRESET']);
    for (const side of [rig.forwarder, rig.exposer]) {
      await until(() => row(side).open === 0, 'the end');
      const { opened, failed, lastError } = row(side);
      assert.deepEqual([opened, failed], [1, 1]);
      assert.match(lastError ?? '', /^the circuit was cut: its limit of bytes or time is reached, or the relay or the peer is gone/);
      assert.ok(side.lines.some(({ msg, error }) => msg === 'a tunnel connection was cut' && error === lastError));
      assert.match(await side.registry.metrics(), /relayd_tunnel_connections_total\{direction="\w+",outcome="failed"\} 1/);
    }
  });

  it('does not count what one of the programs reset', async () => {
    const [remote, local] = await Promise.all([server.next(), dialTcp(rig.port)]);
    local.write('x');
    await readBytes(remote, 1);
    const ended = endOf(local);
    remote.resetAndDestroy();
    assert.equal(await ended, 'ECONNRESET');
    for (const side of [rig.forwarder, rig.exposer]) {
      await until(() => row(side).open === 0, 'the end');
      assert.equal(row(side).failed, 1, row(side).lastError ?? '');
    }
  });
});
