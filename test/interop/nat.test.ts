import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';
import { loadQuic } from '../../src/transport/index.ts';
import type { PeerRow } from '../../src/lib/contracts.ts';
import { noNamespaces } from '../support/netns/why-not.ts';
import type { Namespace } from '../support/netns/namespace.ts';
import { until, within } from '../support/waiting.ts';
import { NatScene } from './support/nat-scene.ts';
import type { NatNode } from './support/nat-scene.ts';
import { missing, startPeer } from './support/peers.ts';
import type { PeerProcess } from './support/peer-process.ts';

const DEADLINE = { timeout: 60_000 };
const DIRECT_MS = 20_000;
/** A circuit that has not become a direct connection by then is tried anew, so many times. */
const AGAIN_MS = 3_000;
const TRIES = 10;
const noQuic = await loadQuic().then(
  () => false as const,
  () => 'the optional QUIC package is not installed',
);

/** A TCP service that says its name, in a namespace. */
async function service(at: Namespace, port: number): Promise<() => void> {
  const script = `require('node:net').createServer((s) => s.end('here')).listen(${port}, '127.0.0.1', () => console.log('up'))`;
  const [program, ...args] = at.command([process.execPath, '-e', script]);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await within(once(child.stdout, 'data'), 'the service listens');
  return () => void child.kill();
}

/** What a local port in a namespace says, or the error. */
async function ask(at: Namespace, port: number): Promise<string> {
  const script = `const s = require('node:net').connect(${port}, '127.0.0.1'); s.setTimeout(5000, () => s.destroy(new Error('silence'))); s.on('data', (d) => console.log(String(d))); s.on('error', (e) => console.log(e.message)); s.on('end', () => s.end())`;
  const [program, ...args] = at.command([process.execPath, '-e', script]);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await within(once(child.stdout, 'data'), 'an answer')) as [Buffer];
  return String(said).trim();
}

async function untilHeld(client: NatNode): Promise<void> {
  await until(async () => (await client.get<{ client: { held: number } }>('/api/v1/status')).client.held > 0, 'a reservation is held');
}

async function rowsOf(client: NatNode, peer: string): Promise<PeerRow[]> {
  return (await client.get<PeerRow[]>('/api/v1/peers')).filter((row) => row.peer === peer);
}

/** Waits for the direct connection. Who has called says little of why there is none: `other` is the one that punches. @returns its address */
async function untilDirect(client: NatNode, peer: string, { other, timeoutMs = DIRECT_MS }: { other?: NatNode; timeoutMs?: number } = {}): Promise<string> {
  let addr: string | undefined;
  await until(
    async () => {
      addr = (await rowsOf(client, peer)).find(({ path }) => path === 'direct')?.addr;
      return addr !== undefined;
    },
    'a direct connection',
    timeoutMs,
  ).catch((error: Error) => Promise.reject(client.failure(`${other?.failure('too').message ?? ''}\n${error.message}`)));
  return addr ?? '';
}

describe('two clients behind two routers that translate addresses', { skip: noNamespaces() || noQuic }, () => {
  let scene: NatScene;
  let relay: NatNode;
  let undo: (() => void)[] = [];
  let number = 0;

  before(async () => {
    scene = await NatScene.open();
    relay = await scene.startRelay();
  });
  afterEach(async () => {
    undo.forEach((one) => one());
    undo = [];
    await scene.stopClients();
  });
  after(() => scene.close());

  /** `a` and `b`, once `b` can be reached through the relay. */
  async function clients(options: Parameters<NatScene['startClient']>[3] = {}, ofB = options): Promise<[NatNode, NatNode]> {
    number += 1;
    const pair = await Promise.all([scene.startClient(`a${number}`, scene.a, relay, options), scene.startClient(`b${number}`, scene.b, relay, ofB)]);
    await Promise.all(pair.map(untilHeld));
    return pair;
  }

  for (const [transport, lost, pattern] of [['QUIC', 'tcp', /\/udp\/\d+\/quic-v1\//], ['TCP', 'udp', /\/tcp\/\d+\/p2p\/[^/]+$/]] as const) {
    it(`meet through the relay and end up direct over ${transport}, which new streams take`, DEADLINE, async () => {
      undo.push(scene.cut(lost));
      const [a, b] = await clients();
      const first = await a.ping(b.peerId);
      assert.deepEqual([first['path'], first['via'], first['error']], ['relay', relay.peerId, undefined]);
      assert.match(await untilDirect(a, b.peerId, { other: b }), pattern);
      assert.match(await untilDirect(b, a.peerId), pattern);
      const then = await a.ping(b.peerId);
      assert.deepEqual([then['path'], then['via'], then['upgrade'], then['error']], ['direct', null, 'direct', undefined]);
      const circuit = (await rowsOf(a, b.peerId)).find(({ path }) => path === 'relay');
      assert.deepEqual([circuit?.upgrade, circuit?.via], ['direct', relay.peerId]);
    });
  }

  it('carry the new connections of a tunnel directly: they go on when the relay is out of reach', DEADLINE, async () => {
    number += 1;
    const end = await service(scene.b, 7000);
    undo.push(end);
    const probe = { probe: { interval: '60s', timeout: '50s' } };
    const aKeys = await scene.peerId(`a${number}`);
    const b = await scene.startClient(`b${number}`, scene.b, relay, { client: probe, tunnels: { expose: [{ name: 'x', to: '127.0.0.1:7000', allow: [aKeys] }] } });
    await untilHeld(b);
    const a = await scene.startClient(`a${number}`, scene.a, relay, { client: probe, tunnels: { forward: [{ listen: '127.0.0.1:7001', peer: b.peerId, name: 'x' }] } });
    await untilHeld(a);
    assert.equal(await ask(scene.a, 7001), 'here');
    await untilDirect(a, b.peerId);
    undo.push(scene.net.filter('ip daddr 45.0.1.2', 'drop'));
    assert.equal(await ask(scene.a, 7001), 'here');
  });

  it('stay with the relay when no packet passes between them, and say why', DEADLINE, async () => {
    undo.push(scene.cut('tcp'), scene.cut('udp'));
    const [a, b] = await clients();
    assert.equal((await a.ping(b.peerId))['path'], 'relay');
    await until(async () => (await rowsOf(b, a.peerId))[0]?.upgrade === 'failed', 'the target gives up', 30_000);
    const again = await a.ping(b.peerId);
    assert.deepEqual([again['path'], again['upgrade'], typeof again['upgradeReason']], ['relay', 'failed', 'string']);
  });

  it('stay with the relay when one of them is told not to try', DEADLINE, async () => {
    const [a, b] = await clients({}, { client: { holePunch: false } });
    assert.equal((await a.ping(b.peerId))['path'], 'relay');
    const [row] = await rowsOf(b, a.peerId);
    assert.equal(row?.upgrade, 'none');
  });

  describe('one of them with go-libp2p', { skip: missing('go') }, () => {
    const LISTEN = ['--listen', '/ip4/0.0.0.0/udp/0/quic-v1', '--listen', '/ip4/0.0.0.0/tcp/0'];
    let go: PeerProcess | undefined;
    afterEach(() => go?.stop());

    it('are direct over QUIC when ours calls', DEADLINE, async () => {
      undo.push(scene.cut('tcp'));
      number += 1;
      const ours = await scene.startClient(`a${number}`, scene.a, relay);
      go = await startPeer('go', { at: scene.b, args: ['--any-network', '--hole-punching', '--mode', 'autorelay', '--relay', scene.relayAddr(relay, 'quic'), ...LISTEN] });
      await go.run('addrs', { waitCircuit: true });
      const circuit = `${scene.relayAddr(relay)}/p2p-circuit/p2p/${go.peerId}`;
      // go begins only with circuits that come once it knows where it is seen; it tells nobody when that is.
      assert.equal((await ours.ping(circuit))['path'], 'relay');
      let direct = await untilDirect(ours, go.peerId, { timeoutMs: AGAIN_MS }).catch(() => undefined);
      // One at a time: a fresh dial closes what is open to the peer, what has just become direct too.
      for (let tries = 0; direct === undefined && tries < TRIES; tries++) {
        await ours.ping(circuit, { fresh: true });
        direct = await untilDirect(ours, go.peerId, { timeoutMs: AGAIN_MS }).catch(() => undefined);
      }
      assert.match(direct ?? `not direct after ${TRIES} more circuits`, /\/udp\/\d+\/quic-v1\//);
      assert.equal((await ours.ping(go.peerId))['path'], 'direct');
    });

    it('are direct over QUIC when go calls', DEADLINE, async () => {
      undo.push(scene.cut('tcp'));
      number += 1;
      const ours = await scene.startClient(`b${number}`, scene.b, relay);
      await untilHeld(ours);
      go = await startPeer('go', { at: scene.a, args: ['--any-network', '--hole-punching', ...LISTEN] });
      await go.run('connect', { addr: scene.relayAddr(relay, 'quic') });
      assert.equal((await go.run('connect', { addr: `${scene.relayAddr(relay, 'quic')}/p2p-circuit/p2p/${ours.peerId}` })).path, 'relay');
      assert.match(await untilDirect(ours, go.peerId), /\/udp\/\d+\/quic-v1\//);
    });

    it('are direct over TCP when go calls', DEADLINE, async () => {
      undo.push(scene.cut('udp'));
      number += 1;
      const ours = await scene.startClient(`b${number}`, scene.b, relay);
      await untilHeld(ours);
      go = await startPeer('go', { at: scene.a, args: ['--any-network', '--hole-punching', ...LISTEN] });
      await go.run('connect', { addr: scene.relayAddr(relay) });
      await go.run('connect', { addr: `${scene.relayAddr(relay)}/p2p-circuit/p2p/${ours.peerId}` });
      assert.match(await untilDirect(ours, go.peerId), /\/tcp\/\d+\/p2p\/[^/]+$/);
    });
  });
});
