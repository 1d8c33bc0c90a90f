import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { bucketAt, networkKey } from '../../src/discovery/network-key.ts';
import type { RelayNode } from '../../src/index.ts';
import { LISTEN, Nodes, metric, untilHolds } from '../support/nodes.ts';
import { until } from '../support/waiting.ts';
import type { PeerProcess } from './support/peer-process.ts';
import { missing, startPeer } from './support/peers.ts';

/** One DHT of go-libp2p-kad-dht's nodes and ours. */

const PROTOCOL = '/relayd-test/kad/1.0.0';
const PATIENCE_MS = 30_000;
const DHT = ['--dht', PROTOCOL];

const nodes = new Nodes();
const peers: PeerProcess[] = [];

async function goPeer(options: { listen: boolean; args: string[] }): Promise<PeerProcess> {
  const peer = await startPeer('go', options);
  peers.push(peer);
  return peer;
}

function ours(name: string, role: 'relay' | 'client', bootstrap: readonly string[], network = {}): Promise<RelayNode> {
  return nodes.start(name, { role, network: { listen: role === 'relay' ? LISTEN : [], ...network }, discovery: { bootstrap, dht: { enabled: true, protocol: PROTOCOL } } });
}

/** Connects a go peer to a server of the DHT, and waits until it would ask it. */
async function join(peer: PeerProcess, addr: string | undefined, id: string): Promise<void> {
  await peer.run('connect', { addr });
  await until(async () => (await peer.run('dhtPeers')).peers.includes(id), 'the server is in its routing table');
}

async function untilAdvertised(relay: RelayNode): Promise<void> {
  await until(async () => (await metric(relay, 'relayd_discovery_advertised')) === 1, 'the relay stands in the DHT', PATIENCE_MS);
}

describe('a DHT of go-libp2p nodes', { skip: missing('go'), timeout: 120_000 }, () => {
  let server: PeerProcess;

  before(async () => {
    server = await goPeer({ listen: true, args: DHT });
  });

  afterEach(async () => {
    await nodes.stopAll();
    await Promise.all(peers.filter((peer) => peer !== server).map((peer) => peer.stop()));
  });

  after(() => server.stop());

  it('leads our client to our relay', async () => {
    const relay = await ours('relay', 'relay', server.addrs);
    await untilAdvertised(relay);
    const client = await ours('client', 'client', server.addrs);
    assert.deepEqual(await untilHolds(client, 1, PATIENCE_MS), [relay.peerId]);
    assert.equal(client.view.relays()[0]?.source, 'dht');
  });

  it('leads a go peer to our relay, by an address that it can dial', async () => {
    const relay = await ours('relay', 'relay', server.addrs);
    await untilAdvertised(relay);
    const peer = await goPeer({ listen: false, args: [...DHT, '--dht-client'] });
    await join(peer, server.addr, server.peerId);
    const key = networkKey({ network: 'main', realm: undefined }, bucketAt(Date.now())).toString();
    const { providers } = await peer.run('providers', { key, count: 0 });
    const found = providers.find((provider) => provider.peer === relay.peerId);
    assert.ok(found?.addrs.some((addr) => relay.addrs.includes(`${addr}/p2p/${relay.peerId}`)), JSON.stringify(providers));
  });

  it('leads our client to a go relay that advertises nothing, by a walk', async () => {
    const relay = await goPeer({ listen: true, args: ['--mode', 'relay', ...DHT] });
    await relay.run('connect', { addr: server.addr });
    const client = await ours('client', 'client', server.addrs);
    assert.deepEqual(await untilHolds(client, 1, PATIENCE_MS), [relay.peerId]);
    assert.equal(client.view.relays()[0]?.source, 'dht');
  });

  it('is served by our relay as by any other', async () => {
    const relay = await ours('relay', 'relay', []);
    const addr = relay.addrs[0];
    const [provider, seeker] = [await goPeer({ listen: true, args: [...DHT, '--dht-client'] }), await goPeer({ listen: false, args: [...DHT, '--dht-client'] })];
    const key = networkKey({ network: 'of a stranger', realm: undefined }, 1).toString();
    await Promise.all([provider, seeker].map((peer) => join(peer, addr, relay.peerId)));
    await provider.run('provide', { key });
    assert.equal((await seeker.run('providers', { key, count: 1 })).providers[0]?.peer, provider.peerId);
  });

  it('is served by our nodes only where others can reach them', async () => {
    const protocolsOf = async (node: RelayNode): Promise<string[]> => (await server.run('protocols', { peer: node.peerId })).protocols;
    const known = async (node: RelayNode): Promise<void> => until(async () => (await metric(node, 'relayd_discovery_bootstrap_connected')) === 1, 'it is connected');
    const client = await ours('client', 'client', server.addrs);
    await known(client);
    assert.ok(!(await protocolsOf(client)).includes(PROTOCOL), 'a client that nobody can dial');
    const hidden = await ours('hidden', 'relay', server.addrs, { allowPrivate: false });
    await known(hidden);
    assert.ok(!(await protocolsOf(hidden)).includes(PROTOCOL), 'a relay behind NAT in a public network');
    const announced = await ours('announced', 'relay', server.addrs, { allowPrivate: false, announce: ['/ip4/8.8.8.8/tcp/4001'] });
    await known(announced);
    await until(async () => (await protocolsOf(announced)).includes(PROTOCOL), 'a relay with a public address serves', PATIENCE_MS);
  });
});
