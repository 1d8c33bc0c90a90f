import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { RelayNode } from '../../src/index.ts';
import { LISTEN, Nodes, untilHolds } from '../support/nodes.ts';

const PATIENCE_MS = 30_000;
const PROTOCOL = '/relayd-test/kad/1.0.0';

const nodes = new Nodes();

function client(bootstrap: readonly string[]): Promise<RelayNode> {
  return nodes.start('client', { role: 'client', client: { desired: 1 }, discovery: { bootstrap, dht: { enabled: true, protocol: PROTOCOL } } });
}

describe('a client that has been here before', { timeout: 120_000 }, () => {
  after(() => nodes.stopAll());

  it('comes back by the relays that it knew, when all its bootstrap peers are down', async () => {
    const server = await nodes.start('server', { role: 'client', network: { listen: LISTEN }, discovery: { dht: { enabled: true, protocol: PROTOCOL, mode: 'server' } } });
    const bootstrap = server.addrs;
    const relay = await nodes.start('relay', { role: 'relay', network: { listen: LISTEN }, discovery: { bootstrap, dht: { enabled: true, protocol: PROTOCOL } } });
    assert.deepEqual(await untilHolds(await client(bootstrap), 1, PATIENCE_MS), [relay.peerId]);
    await nodes.stop('client');
    await nodes.stop('server');
    const back = await client(bootstrap);
    assert.deepEqual(await untilHolds(back, 1, PATIENCE_MS), [relay.peerId]);
    assert.equal(back.view.relays()[0]?.source, 'cache');
    await nodes.stop('client');
  });

  it('starts with a damaged file as without one, and writes a new one', async () => {
    const file = join(await nodes.dataDir('client'), 'relays.json');
    const relay = await nodes.start('other', { role: 'relay', network: { listen: LISTEN } });
    await writeFile(file, '{"version":1,"rel');
    assert.deepEqual(await untilHolds(await client(relay.addrs), 1, PATIENCE_MS), [relay.peerId]);
    await nodes.stop('client');
    assert.ok((await readFile(file, 'utf8')).includes(relay.peerId));
    assert.equal(await readFile(`${file}.damaged`, 'utf8'), '{"version":1,"rel');
  });

  it('with a list of relays and nothing else uses those of the list alone', async () => {
    const relay = await nodes.start('listed', { role: 'relay', network: { listen: LISTEN } });
    const node = await nodes.start('client', { role: 'client', client: { relays: relay.addrs, desired: 1 } });
    await untilHolds(node, 1, PATIENCE_MS);
    assert.deepEqual(node.view.relays().map(({ peer }) => peer), [relay.peerId]);
  });
});
