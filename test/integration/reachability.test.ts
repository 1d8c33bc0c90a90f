import { mkdtemp, rm } from 'node:fs/promises';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createRelayNode } from '../../src/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Clock } from '../../src/lib/clock.ts';
import type { RelayNode } from '../../src/node/index.ts';
import { freePort } from '../support/free-port.ts';
import { RelayUnderTest } from '../support/relay-under-test.ts';
import { until } from '../support/waiting.ts';

const DEADLINE = { timeout: 90_000 };

interface ClientStatus {
  held: number;
  desired: number;
  reachability: string;
  reachableAddrs: string[];
}

/** A client of one relay: as many as a test wants, and all gone with it. */
class Scene implements AsyncDisposable {
  readonly relay: RelayUnderTest;
  readonly #clients: { node: RelayNode; dir: string }[] = [];

  static async start(): Promise<Scene> {
    return new Scene(await RelayUnderTest.start());
  }

  private constructor(relay: RelayUnderTest) {
    this.relay = relay;
  }

  async client(network: object, more: object = {}, clock?: Clock): Promise<RelayNode> {
    const dir = await mkdtemp(join(tmpdir(), 'relayd-reach-'));
    const node = await createRelayNode(
      {
        role: 'client',
        dataDir: dir,
        network: { allowPrivate: true, ...network },
        admin: { listen: '127.0.0.1:0' },
        log: { level: 'silent' },
        ...more,
        client: { relays: [this.relay.addr], desired: 1, holePunch: false, ...(more as { client?: object }).client },
      },
      clock === undefined ? {} : { clock },
    );
    this.#clients.push({ node, dir });
    await node.start();
    return node;
  }

  get reservations(): number {
    return this.relay.node.view.reservations().length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map(({ node }) => node.stop()));
    await this.relay.stop();
    await Promise.all(this.#clients.map(({ dir }) => rm(dir, { recursive: true, force: true })));
  }
}

const LISTENING = { listen: ['/ip4/127.0.0.1/tcp/0'] };

const statusOf = (node: RelayNode): ClientStatus => node.view.status().client as ClientStatus;

async function untilReachability(node: RelayNode, value: string, timeoutMs?: number): Promise<void> {
  await until(() => statusOf(node).reachability === value, `the client is ${value}`, timeoutMs);
}

/** Time that passes eight times as fast: waits of half a minute in some seconds. */
const HASTE = 8;
const hastyClock: Clock = {
  now: () => systemClock.now() * HASTE,
  wall: () => systemClock.wall(),
  setTimer: (fn, delayMs) => systemClock.setTimer(fn, delayMs / HASTE),
  setCoarseTimer: (fn, delayMs) => systemClock.setTimer(fn, delayMs / HASTE),
};

/** Hands connections on to `port`, as a router that forwards one does. */
async function forwardedPort(port: number): Promise<{ port: number; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connect(port, '127.0.0.1');
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    inner.pipe(outer).pipe(inner);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    },
  };
}

describe('a client that others reach without a relay', () => {
  it('finds it out from its one relay, holds no reservation, and says so', DEADLINE, async () => {
    await using scene = await Scene.start();
    const client = await scene.client(LISTENING);
    await untilReachability(client, 'public');
    await until(() => statusOf(client).held === 0 && scene.reservations === 0, 'nothing is held');
    const own = client.addrs.map((addr) => addr.replace(/\/p2p\/.*/, ''));
    assert.deepEqual(statusOf(client).reachableAddrs, own);
    assert.equal(statusOf(client).desired, 0);
    const problems = await client.view.readinessProblems(AbortSignal.timeout(10_000));
    assert.deepEqual(problems.filter((problem) => /relay|reservation/.test(problem)), [], 'it is ready without a reservation');
    assert.match(await client.view.metrics(), /^relayd_client_reachability\{state="public"\} 1$/m);
    assert.match(await scene.relay.node.view.metrics(), /^relayd_autonat_requests_total\{outcome="ok"\} 1$/m);
    const { path } = await (await scene.client({ listen: [] })).view.ping(client.addrs[0] ?? '', { count: 1, fresh: false, signal: AbortSignal.timeout(10_000) });
    assert.equal(path, 'direct');
  });

  it('holds reservations in any case when the config says so', DEADLINE, async () => {
    await using scene = await Scene.start();
    const client = await scene.client(LISTENING, { client: { when: 'always' } });
    await untilReachability(client, 'public');
    await until(() => statusOf(client).held === 1, 'a reservation is held');
    assert.equal(scene.reservations, 1);
  });

  it('is served by a node that is relay and client, and may be one', DEADLINE, async () => {
    await using scene = await Scene.start();
    const both = await scene.client(LISTENING, { role: 'both' });
    await untilReachability(both, 'public');
    await until(() => statusOf(both).held === 0 && scene.reservations === 0, 'nothing is held');
    const client = await scene.client(LISTENING, { client: { relays: [both.addrs[0]] } });
    await untilReachability(client, 'public');
  });

  it('reserves again when its port is closed', DEADLINE, async () => {
    await using scene = await Scene.start();
    const port = await freePort();
    const forwarded = await forwardedPort(port);
    try {
      const client = await scene.client({ listen: [`/ip4/127.0.0.1/tcp/${port}`], announce: [`/ip4/127.0.0.1/tcp/${forwarded.port}`] }, {}, hastyClock);
      await untilReachability(client, 'public', 60_000);
      await until(() => scene.reservations === 0, 'nothing is held');
      forwarded.close();
      const closedAt = performance.now();
      await untilReachability(client, 'private', 60_000);
      await until(() => scene.reservations === 1, 'a reservation is held');
      const seconds = ((performance.now() - closedAt) * HASTE) / 1_000;
      // It is asked again within half a minute; what the machine takes itself counts eight times. A verdict lasts ten minutes.
      assert.ok(seconds < 240, `${seconds.toFixed(1)} s`);
    } finally {
      forwarded.close();
    }
  });
});

describe('a client that nobody reaches without a relay', () => {
  it('is private from the start when it accepts no connections, and asks nobody', DEADLINE, async () => {
    await using scene = await Scene.start();
    const client = await scene.client({ listen: [] });
    assert.equal(statusOf(client).reachability, 'private');
    await until(() => statusOf(client).held === 1, 'a reservation is held');
    assert.match(await scene.relay.node.view.metrics(), /^relayd_autonat_requests_total\{outcome="dial error"\} 0$/m);
  });

  it('is private when nothing listens where it says that it does', DEADLINE, async () => {
    await using scene = await Scene.start();
    const client = await scene.client({ ...LISTENING, announce: ['/ip4/127.0.0.1/tcp/1'] });
    await untilReachability(client, 'private');
    await until(() => statusOf(client).held === 1, 'a reservation is held');
    assert.deepEqual(statusOf(client).reachableAddrs, []);
  });
});
