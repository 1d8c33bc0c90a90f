import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { tcp } from '@libp2p/tcp';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@libp2p/yamux';
import type { Connection, PeerId } from '@libp2p/interface';
import type { ConnectionManager } from '@libp2p/interface-internal';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p, Libp2pOptions } from 'libp2p';
import { clientService } from '../../../src/client/index.ts';
import type { ClientService } from '../../../src/client/index.ts';
import { ANY_ADDRESS, listQuickly, stopPruner } from '../../../src/node/connection-list.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { until } from '../../support/waiting.ts';

type Node = Libp2p<{ client: ClientService }>;

/** These lean on what libp2p does inside: a test that fails here after a new version of it says that a way round it is gone, or needed no more. */
describe('the connection list, on this version of libp2p', () => {
  const nodes: Node[] = [];
  const ids: PeerId[] = [];
  before(async () => void ids.push(...(await makePeerIds(2))));
  after(() => Promise.all(nodes.map(async (node) => node.stop())));

  async function make(options: Pick<Libp2pOptions, 'addresses' | 'connectionManager'> = {}): Promise<Node> {
    const node = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionMonitor: { enabled: false },
      connectionGater: { denyDialMultiaddr: () => false },
      services: { client: clientService() },
      ...options,
    });
    nodes.push(node);
    return node;
  }
  const listening = (connectionManager: Libp2pOptions['connectionManager']): Promise<Node> => make({ addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] }, connectionManager });
  const managerOf = (node: Node): ConnectionManager => node.services.client.components.connectionManager;
  const connect = async (to: Node): Promise<void> => void (await (await make()).dial(to.getMultiaddrs()));

  it('is complete, and that of one peer is the library\'s own', async () => {
    const node = await listening({});
    const manager = managerOf(node);
    listQuickly(manager);
    assert.deepEqual(node.getConnections(), []);
    const [a, b] = ids;
    assert.ok(a !== undefined && b !== undefined);
    const connections = [1, 2, 3].map((name) => ({ id: String(name) }) as unknown as Connection);
    manager.getConnectionsMap().set(a, connections.slice(0, 2));
    manager.getConnectionsMap().set(b, connections.slice(2));
    assert.deepEqual(manager.getConnections(), connections);
    assert.deepEqual(manager.getConnections(b), connections.slice(2));
    assert.deepEqual(node.getConnections(a), connections.slice(0, 2));
    manager.getConnectionsMap().clear();
  });

  it('is not asked for when a connection comes in, nor are the library\'s own limits', async () => {
    const node = await listening({ allow: ANY_ADDRESS, maxConnections: 1, maxIncomingPendingConnections: 1, inboundConnectionThreshold: 1 });
    const manager = managerOf(node);
    assert.equal(stopPruner(manager), true, 'libp2p still has the pruner');
    let asked = 0;
    const list = manager.getConnections.bind(manager);
    manager.getConnections = (peer) => (asked += peer === undefined ? 1 : 0, list(peer));
    let open = 0;
    node.addEventListener('connection:open', () => open++);
    await Promise.all([connect(node), connect(node), connect(node)]);
    await until(() => open === 3, 'all three are let in');
    assert.equal(asked, 0);
    assert.equal(node.getConnections().length, 3, 'and held, where one is the most');
  });

  it('lets in whoever has an IP address', async () => {
    const node = await listening({ allow: ANY_ADDRESS, deny: [], maxConnections: 1, inboundConnectionThreshold: 1 });
    const manager = managerOf(node);
    for (const addr of ['/ip4/203.0.113.7/tcp/1', '/ip6/2001:db8::1/tcp/1', '/ip6/::ffff:192.0.2.1/tcp/1', '/ip4/203.0.113.7/tcp/2', '/ip4/203.0.113.7/tcp/1/p2p-circuit']) {
      assert.equal(manager.acceptIncomingConnection({ remoteAddr: multiaddr(addr) } as never), true, addr);
    }
  });

  it('is left alone where there is no pruner', () => {
    assert.equal(stopPruner({} as ConnectionManager), false);
  });
});
