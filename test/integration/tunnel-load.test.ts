import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KiB, MiB, TestServer, dialTcp, endOf, hashAll, metric, readBytes, row, startDirectRig, until, writeRandom } from './tunnel-support.ts';
import type { Rig } from './tunnel-support.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of array buffers in use, garbage not counted. */
function heldMemory(): number {
  collect();
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** Stops reading for a moment again and again, so that every buffer on the way fills and empties all the time. */
async function readInBursts(socket: Socket): Promise<void> {
  for (let i = 0; !socket.readableEnded && !socket.destroyed; i++) {
    socket.pause();
    await delay(i % 3);
    socket.resume();
    await delay(3);
  }
}

/** Waits until bytes have arrived at the exposing side and none more do for a while: nothing moves any more, which no event says. */
async function untilStill(rig: Rig, arrivedBefore: number, quietMs = 400): Promise<void> {
  for (let last = -1; ; await delay(quietMs)) {
    const now = await arrived(rig);
    if (now === last && now > arrivedBefore) return;
    last = now;
  }
}

function arrived(rig: Rig): Promise<number> {
  return metric(rig.exposer, 'relayd_tunnel_bytes_total', { direction: 'expose', flow: 'received' });
}

describe('a tunnel under load', () => {
  const server = new TestServer(() => {}, { pauseOnConnect: true });
  let rig: Rig;

  before(async () => {
    rig = await startDirectRig({ to: await server.start() });
  });
  after(async () => {
    await rig.stop();
    await server.stop();
  });

  async function open(): Promise<{ local: Socket; remote: Socket }> {
    const [remote, local] = await Promise.all([server.next(), dialTcp(rig.port)]);
    return { local, remote };
  }

  it('carries 64 MiB each way at once, both readers in bursts', { timeout: 120_000 }, async () => {
    const { local, remote } = await open();
    const reads = [hashAll(local), hashAll(remote)];
    const bursts = [readInBursts(local), readInBursts(remote)];
    const [up, down] = await Promise.all([writeRandom(local, 64 * MiB, 1), writeRandom(remote, 64 * MiB, 2)]);
    const [atLocal, atRemote] = await Promise.all(reads);
    assert.deepEqual([atLocal, atRemote], [{ bytes: 64 * MiB, sha256: down }, { bytes: 64 * MiB, sha256: up }]);
    await Promise.all(bursts);
  });

  it('carries 64 MiB each way at once, at full speed', { timeout: 120_000 }, async (t) => {
    const { local, remote } = await open();
    const startedAt = performance.now();
    const reads = [hashAll(local), hashAll(remote)];
    const [up, down] = await Promise.all([writeRandom(local, 64 * MiB, 3), writeRandom(remote, 64 * MiB, 4)]);
    const [atLocal, atRemote] = await Promise.all(reads);
    assert.deepEqual([atLocal, atRemote], [{ bytes: 64 * MiB, sha256: down }, { bytes: 64 * MiB, sha256: up }]);
    t.diagnostic(`128 MiB in ${Math.round(performance.now() - startedAt)} ms`);
  });

  it('stops the far sender while a reader stands still, in bounded memory, and loses nothing', { timeout: 120_000 }, async (t) => {
    const pairs = await Promise.all(Array.from({ length: 16 }, () => dialTcp(rig.port)));
    await until(() => server.sockets.size === 16, 'the target has all connections');
    const [idle, arrivedBefore] = [heldMemory(), await arrived(rig)];
    const total = 24 * MiB;
    const sums = pairs.map((socket, i) => writeRandom(socket, total, 10 + i));
    await untilStill(rig, arrivedBefore + pairs.length * MiB);
    const received = [...server.sockets].map((socket) => socket.bytesRead);
    assert.ok(received.every((bytes) => bytes === 0));
    const perTunnel = (heldMemory() - idle) / pairs.length;
    t.diagnostic(`held per stalled tunnel, both sides and the test's own writer: ${Math.round(perTunnel / KiB)} KiB`);
    assert.ok(perTunnel < 1 * MiB, `${perTunnel} bytes held for each stalled tunnel`);
    assert.ok(pairs.every((socket) => socket.writableNeedDrain), 'every writer is stopped');

    const got = await Promise.all([...server.sockets].map((socket) => hashAll(socket).finally(() => socket.end())));
    assert.deepEqual(new Set(got.map(({ sha256 }) => sha256)), new Set(await Promise.all(sums)));
    assert.ok(got.every(({ bytes }) => bytes === total));
    pairs.forEach((socket) => socket.resume());
    await until(() => row(rig.forwarder).open === 0 && row(rig.exposer).open === 0, 'all have ended');
  });

  it('resets all tunnels of a connection that is closed in good order while one of them stands still', { timeout: 60_000 }, async () => {
    const [stalled, other] = [await open(), await open()];
    const arrivedBefore = await arrived(rig);
    stalled.local.write(Buffer.alloc(24 * MiB));
    await untilStill(rig, arrivedBefore);
    other.local.write('only a part');
    await readBytes(other.remote, 11);
    const ends = Promise.all([endOf(other.local), endOf(other.remote), endOf(stalled.local)]);
    await Promise.all(rig.forwarder.node.getConnections().map((connection) => connection.close()));
    assert.deepEqual(await ends, ['ECONNRESET', 'ECONNRESET', 'ECONNRESET']);
    stalled.remote.destroy();
  });

  it('carries one tunnel at full speed while another stands still', { timeout: 120_000 }, async () => {
    const stalled = await open();
    const arrivedBefore = await arrived(rig);
    const sum = writeRandom(stalled.local, 24 * MiB, 40);
    await untilStill(rig, arrivedBefore);
    const { local, remote } = await open();
    const read = hashAll(remote);
    assert.equal(await writeRandom(local, 32 * MiB, 41), (await read).sha256);
    assert.equal((await hashAll(stalled.remote)).sha256, await sum);
    [local, remote, stalled.local, stalled.remote].forEach((socket) => socket.destroy());
  });
});
