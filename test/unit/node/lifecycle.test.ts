import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Gauge, Registry, register } from 'prom-client';
import { createRelayNode } from '../../../src/index.ts';
import type { RelayNode } from '../../../src/index.ts';
import { RelaydError } from '../../../src/lib/errors.ts';
import type { ErrorCode } from '../../../src/lib/errors.ts';
import { mmdbOf } from '../../support/mmdb.ts';
import { settled, until, within } from '../../support/waiting.ts';

const LOOPBACK = '127.0.0.1';
/** libp2p does not cancel two timers of a second and two when it stops; they end by themselves. */
const LATE_TIMERS_MS = 6_000;

interface Keys {
  role?: string;
  listen?: string;
  admin?: string;
  relay?: object;
  dataDir?: string;
}

describe('a node', () => {
  let folder: string;
  let dataDir: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'relayd-node-'));
    dataDir = join(folder, 'data');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const make = (keys: Keys = {}): Promise<RelayNode> =>
    createRelayNode({
      role: keys.role ?? 'relay',
      dataDir: keys.dataDir ?? dataDir,
      network: { listen: [keys.listen ?? `/ip4/${LOOPBACK}/tcp/0`], allowPrivate: true },
      admin: { listen: keys.admin ?? `${LOOPBACK}:0` },
      log: { level: 'silent' },
      ...(keys.relay === undefined ? {} : { relay: keys.relay }),
    });

  /** What keeps this process alive now, by kind; the test runner's own included. */
  function resources(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const kind of process.getActiveResourcesInfo()) {
      if (!kind.startsWith('FSReq')) counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }
  const processListeners = (): Record<string, number> => Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));

  async function assertNothingLeft(before: Record<string, number>): Promise<void> {
    // A count of timers may be lower than before: others of this file have ended meanwhile.
    const extra = (): string[] => Object.entries(resources()).filter(([kind, count]) => count > (before[kind] ?? 0)).map(([kind, count]) => `${count} ${kind}`);
    // until's own timer is one of them.
    await until(() => extra().filter((line) => line !== `${(before['Timeout'] ?? 0) + 1} Timeout`).length === 0, `nothing to be left (${extra().join(', ')})`, LATE_TIMERS_MS);
  }

  for (const role of ['relay', 'both']) {
    it(`as ${role} starts and stops twenty times and leaves no socket, no timer and no listener`, async () => {
      const node = await make({ role });
      await node.start();
      await node.stop();
      const [before, listeners] = [resources(), processListeners()];
      const identities = new Set<string>();
      for (let i = 0; i < 20; i++) {
        await node.start();
        identities.add(node.peerId);
        assert.deepEqual([node.state, node.addrs.length > 0, node.adminUrl.startsWith('http')], ['ready', true, true]);
        await node.stop();
        assert.deepEqual([node.addrs, node.adminUrl], [[], '']);
      }
      assert.equal(identities.size, 1);
      assert.deepEqual(processListeners(), listeners);
      assert.deepEqual(node.eventNames(), []);
      await assertNothingLeft(before);
      assert.deepEqual(await readdir(dataDir), ['identity.key'], 'the admin file goes with the node');
    });
  }

  it('keeps nothing of its earlier starts in memory', async () => {
    const { queryObjects } = (await import('node:v8')) as unknown as { queryObjects(kind: unknown, options: { format: 'count' }): number };
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const registries = async (): Promise<number> => {
      await settled();
      gc();
      return queryObjects(Registry, { format: 'count' });
    };
    const node = await make();
    await node.start();
    await node.stop();
    const before = await registries();
    for (let i = 0; i < 5; i++) {
      await node.start();
      await node.stop();
    }
    // The timers that libp2p leaves hold theirs until they have fired.
    await until(async () => (await registries()) - before <= 1, 'four of five to be gone at least', LATE_TIMERS_MS);
  });

  const SERIES = ['libp2p_transport_manager_listeners', 'libp2p_upgrader_stream_multiplexers', 'nodejs_memory_usage_bytes', 'nodejs_eventloop_lag_p99_seconds', 'process_cpu_seconds_total', 'relayd_connections_open'];

  async function assertHasSeries(node: RelayNode): Promise<void> {
    const types = [...(await node.view.metrics()).matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
    assert.equal(new Set(types).size, types.length, 'each once');
    for (const name of SERIES) assert.ok(types.includes(name), name);
  }

  it('has every series also after a restart', async () => {
    const node = await make();
    for (let i = 0; i < 2; i++) {
      await node.start();
      await assertHasSeries(node);
      await node.stop();
    }
  });

  it('has every series beside another of the same process, and lets the series of the program be', async () => {
    const own = new Gauge({ name: 'of_the_program', help: 'not ours' });
    const nodes = [await make(), await make({ dataDir: join(folder, 'other') })];
    for (const node of nodes) await node.start();
    for (const node of nodes) await assertHasSeries(node);
    assert.equal(register.getSingleMetric('of_the_program'), own);
    for (const node of nodes) await node.stop();
    register.removeSingleMetric('of_the_program');
  });

  it('may be started twice, stopped twice, and both at once', async () => {
    const node = await make();
    await node.stop();
    await Promise.all([node.start(), node.start()]);
    assert.equal(node.state, 'ready');
    await Promise.all([node.stop(), node.start(), node.stop()]);
    assert.equal(node.addrs.length, 0);
    await Promise.all([node.start(), node.stop(), node.start()]);
    assert.equal(node.state, 'ready');
    await node.stop();
    await node.stop();
  });

  it('says that it is not running before its first start and after its stop', async () => {
    const node = await make();
    const notRunning = (error: unknown): boolean => error instanceof RelaydError && error.code === 'CLOSED';
    for (const ask of [() => node.peerId, () => node.dialler, () => node.view.status()]) assert.throws(ask, notRunning);
    assert.deepEqual([node.view.reservations(), node.view.circuits(), node.addrs], [[], [], []]);
  });

  describe('that cannot start', () => {
    const taken: Server[] = [];
    afterEach(async () => {
      for (const server of taken.splice(0)) if (server.listening) await once(server.close(), 'close');
    });

    async function takePort(): Promise<number> {
      const server = createServer().listen(0, LOOPBACK);
      taken.push(server);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    }
    const isFree = async (port: number): Promise<boolean> => {
      const server = createServer();
      const free = await new Promise<boolean>((resolve) => {
        server.once('error', () => resolve(false));
        server.listen(port, LOOPBACK, () => resolve(true));
      });
      if (free) await once(server.close(), 'close');
      return free;
    };

    /** The start fails with `code`, leaves nothing, and works when `repair` has removed the cause. */
    async function assertFailsThenWorks(node: RelayNode, code: ErrorCode, repair: () => Promise<unknown>, mentions: RegExp): Promise<void> {
      const before = resources();
      for (let i = 0; i < 3; i++) {
        await assert.rejects(within(node.start(), 'the start to fail'), (error: unknown) => {
          assert.ok(error instanceof RelaydError, String(error));
          assert.equal(error.code, code);
          assert.match(error.message, mentions);
          return true;
        });
        assert.deepEqual([node.addrs, node.adminUrl], [[], '']);
      }
      await assertNothingLeft(before);
      await repair();
      await node.start();
      assert.equal(node.state, 'ready');
      await node.stop();
    }

    const release = (server: Server | undefined): Promise<unknown> => (server === undefined ? Promise.resolve() : once(server.close(), 'close'));

    it('because its port is in use: says which, and starts when it is free', async () => {
      const port = await takePort();
      const node = await make({ listen: `/ip4/${LOOPBACK}/tcp/${port}` });
      await assertFailsThenWorks(node, 'ADDRESS_IN_USE', () => release(taken[0]), new RegExp(`network.listen: /ip4/127.0.0.1/tcp/${port}`));
    });

    it('because the admin port is in use: leaves its own port free again', async () => {
      const [adminPort, relayPort] = [await takePort(), await takePort()];
      await release(taken[1]);
      const node = await make({ listen: `/ip4/${LOOPBACK}/tcp/${relayPort}`, admin: `${LOOPBACK}:${adminPort}` });
      await assertFailsThenWorks(
        node,
        'ADDRESS_IN_USE',
        async () => {
          assert.equal(await isFree(relayPort), true);
          assert.deepEqual(await readdir(dataDir), ['identity.key']);
          await release(taken[0]);
        },
        new RegExp(`${adminPort}`),
      );
    });

    it('because its address is not one of this machine', async () => {
      const node = await make({ listen: '/ip4/192.0.2.1/tcp/4001' });
      const before = resources();
      await assert.rejects(node.start(), (error: unknown) => error instanceof RelaydError && error.code === 'ADDRESS_UNAVAILABLE' && /192\.0\.2\.1/.test(error.message));
      await assertNothingLeft(before);
    });

    it('because its data directory is a file', async () => {
      await writeFile(dataDir, 'not a folder');
      await assertFailsThenWorks(await make(), 'DATA_DIR_UNWRITABLE', () => rm(dataDir), new RegExp(dataDir));
    });

    it('because another that has a unix socket works in its data directory, and of two that start at once one', async () => {
      const sockets = ['a', 'b'].map((name) => `unix:${join(folder, name)}`);
      const nodes = await Promise.all(sockets.map((admin) => make({ admin })));
      for (let i = 0; i < 3; i++) {
        const starts = await Promise.allSettled(nodes.map((node) => node.start()));
        const failures = starts.flatMap((start) => (start.status === 'rejected' ? [start.reason as RelaydError] : []));
        assert.deepEqual(failures.map(({ code, data }) => [code, data['pid']]), [['DATA_DIR_IN_USE', process.pid]]);
        await Promise.all(nodes.map((node) => node.stop()));
        assert.deepEqual(await readdir(dataDir), ['identity.key']);
      }
    });

    it('because others can read its key', async () => {
      const node = await make();
      await node.start();
      const { peerId } = node;
      await node.stop();
      const keyFile = join(dataDir, 'identity.key');
      await chmod(keyFile, 0o644);
      await assertFailsThenWorks(node, 'IDENTITY_INVALID', () => chmod(keyFile, 0o600), /chmod 600/);
      await node.start();
      assert.equal(node.peerId, peerId, 'and it is still the same node');
      await node.stop();
    });

    it('because its AS database is none: nothing of the relay is left listening', async () => {
      const asnFile = join(folder, 'asn.mmdb');
      await writeFile(asnFile, mmdbOf({ address: Uint8Array.of(192, 0, 2, 1), bits: 24, asn: 64_500 }));
      const node = await make({ relay: { asnFile } });
      await writeFile(asnFile, 'nothing');
      const before = resources();
      await assert.rejects(node.start(), (error: unknown) => error instanceof RelaydError && error.code === 'FILE_UNREADABLE' && error.message.includes(asnFile));
      await assertNothingLeft(before);
    });
  });
});
