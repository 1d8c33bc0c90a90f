import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { clientService } from '../../src/client/index.ts';
import type { ClientService } from '../../src/client/index.ts';
import { createRelayNode } from '../../src/index.ts';
import type { RelayNode } from '../../src/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/logger.ts';
import { DCUTR_PROTOCOL } from '../../src/reachability/dcutr-exchange.ts';
import { canSharePorts, dataPath, holePunchers, loadQuic } from '../../src/transport/index.ts';
import { until } from '../support/waiting.ts';

const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const noQuic = await loadQuic().then(
  () => false as const,
  () => 'the optional QUIC package is not installed',
);
const noSharing = (await canSharePorts()) ? false : 'two sockets cannot connect from one port here';

describe('two clients of one relay, on loopback', () => {
  let dir: string;
  let relay: RelayNode;
  const nodes: RelayNode[] = [];
  const common = { admin: { listen: '127.0.0.1:0' } };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relayd-punch-'));
    const listen = ['/ip4/127.0.0.1/tcp/0', ...(noQuic === false ? ['/ip4/127.0.0.1/udp/0/quic-v1'] : [])];
    relay = await createRelayNode({ ...common, role: 'relay', dataDir: join(dir, 'relay'), network: { listen, allowPrivate: true }, relay: { prefixes: { exempt: ['127.0.0.0/8'] } } }, { log: silentLogger });
    await relay.start();
  });
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await relay.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function client(config: { listen?: string[]; holePunch?: boolean } = {}): Promise<RelayNode> {
    const { listen = [], holePunch = true } = config;
    const tcp = relay.addrs.filter((addr) => addr.includes('/tcp/'));
    const node = await createRelayNode({ ...common, role: 'client', dataDir: join(dir, `client-${nodes.length}`), network: { listen, allowPrivate: true }, client: { relays: tcp, when: 'always', holePunch } }, { log: silentLogger });
    nodes.push(node);
    await node.start();
    await until(() => node.addrs.some((addr) => addr.includes('/p2p-circuit')), 'the client has reserved');
    return node;
  }

  const metric = async (node: RelayNode, line: string): Promise<boolean> => (await node.view.metrics()).includes(`\n${line}\n`);
  const circuitTo = (node: RelayNode): string => node.addrs.find((addr) => addr.includes('/p2p-circuit')) ?? assert.fail('no circuit address');

  it('are direct over QUIC a moment after they have met, and new dials take that', { skip: noQuic }, async () => {
    const [caller, target] = [await client(), await client()];
    assert.equal((await caller.view.ping(circuitTo(target), { count: 1, fresh: false, signal: soon() })).path, 'relay');
    await until(async () => (await caller.view.peers()).some(({ peer, path, addr }) => peer === target.peerId && path === 'direct' && addr.includes('/quic-v1')), 'a direct connection');
    const result = await caller.view.ping(target.peerId, { count: 1, fresh: false, signal: soon() });
    assert.deepEqual([result.path, result.upgrade, result.error], ['direct', 'direct', undefined]);
    await until(() => metric(target, 'relayd_hole_punch_total{outcome="direct",transport="quic"} 1'), 'the target has counted it');
  });

  it('are direct at once when the caller can be dialled', async () => {
    const [caller, target] = [await client({ listen: ['/ip4/127.0.0.1/tcp/0'] }), await client()];
    await caller.dialler.dial(circuitTo(target), { signal: soon() });
    await until(() => metric(target, 'relayd_hole_punch_total{outcome="reversed",transport="tcp"} 1'), 'the target has dialled');
    await until(async () => (await caller.view.peers()).some(({ peer, path }) => peer === target.peerId && path === 'direct'), 'the caller has its end of it');
    assert.equal((await caller.view.ping(target.peerId, { count: 1, fresh: false, signal: soon() })).path, 'direct');
  });

  it('stay with the circuit, and do not offer it, when they are told not to', async () => {
    const [caller, target] = [await client({ holePunch: false }), await client({ holePunch: false })];
    const { connection } = await caller.dialler.dial(circuitTo(target), { signal: soon() });
    const opened = connection.newStream(DCUTR_PROTOCOL, { signal: soon(), runOnLimitedConnection: true });
    await assert.rejects(opened, { name: 'UnsupportedProtocolError' });
    assert.deepEqual((await target.view.peers()).filter(({ peer }) => peer === caller.peerId).map(({ path, upgrade }) => [path, upgrade]), [['relay', 'none']]);
  });
});

describe('a hole over TCP', () => {
  const options = { security: ['noise'] as const, swarmKey: undefined, windowBytes: 256 * 1024, lookup: () => assert.fail('no names here'), clock: systemClock };
  const libp2p = (listen: string[]): Promise<Libp2p<{ client: ClientService }>> => createLibp2p({ ...dataPath('native', { ...options, sharePorts: true }), addresses: { listen }, connectionGater: { denyDialMultiaddr: () => false }, services: { client: clientService() } });

  it('is punched from the very port that the relay sees, where the system lets two sockets share it', { skip: noSharing }, async () => {
    const [relay, peer, node] = [await libp2p(['/ip4/127.0.0.1/tcp/0']), await libp2p(['/ip4/127.0.0.1/tcp/0']), await libp2p([])];
    try {
      const connection = await node.dial(relay.getMultiaddrs(), { signal: soon() });
      await until(() => relay.getConnections().length > 0, 'the relay has it too');
      const port = portOf(relay.getConnections()[0]?.remoteAddr);
      // As if there were a router between: at loopback itself no hole is punched.
      const seenAt = multiaddr(`/ip4/203.0.113.1/tcp/${port}`);
      const { transportManager, upgrader, logger } = node.services.client.components;
      const [puncher] = holePunchers(transportManager.getTransports(), { upgrader, logger, clock: systemClock });
      const [hole] = (await puncher?.open('client', [{ connection, seenAt }])) ?? [];
      assert.equal(hole?.seenAt.toString(), seenAt.toString());
      const direct = await hole?.connect(peer.peerId, [multiaddr(peer.getMultiaddrs()[0]?.toString())], soon());
      assert.equal(direct?.remotePeer.toString(), peer.peerId.toString());
      await until(() => peer.getConnections().length > 0, 'the peer has it too');
      assert.equal(portOf(peer.getConnections()[0]?.remoteAddr), port);
      hole?.close();
      const [here] = (await puncher?.open('client', [{ connection, seenAt: multiaddr(`/ip4/127.0.0.1/tcp/${port}`) }])) ?? [];
      const plain = await here?.connect(peer.peerId, [multiaddr(peer.getMultiaddrs()[0]?.toString())], soon());
      await until(() => peer.getConnections().length > 1, 'and what is dialled on one machine');
      assert.notEqual(portOf(peer.getConnections()[1]?.remoteAddr), port);
      await plain?.close();
      assert.deepEqual(await puncher?.open('client', []), []);
    } finally {
      await Promise.all([relay.stop(), peer.stop(), node.stop()]);
    }
  });
});

function portOf(addr: Multiaddr | undefined): number {
  return Number(addr?.getComponents()[1]?.value);
}
