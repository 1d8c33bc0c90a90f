import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { RelayNode } from '../../src/index.ts';
import { DnsServer } from '../support/dns-server.ts';
import { LISTEN, Nodes, metric, untilHolds } from '../support/nodes.ts';
import { until } from '../support/waiting.ts';

/** Lists of addresses that stand in the DNS, asked of a server of this test. */

const PATIENCE_MS = 30_000;
const NAME = 'relays.example.test';

const nodes = new Nodes();

/** A data directory of its own for each: what an earlier one knew of relays is not to help. */
let count = 0;

describe('a list in the DNS', { timeout: 120_000 }, () => {
  let dns: DnsServer;
  let relay: RelayNode;

  before(async () => {
    dns = await DnsServer.start();
    relay = await nodes.start('relay', { role: 'relay', network: { listen: LISTEN } });
  });

  afterEach(async () => {
    await nodes.stop(`node${count}`);
    dns.txt.clear();
    dns.asked.length = 0;
    dns.silent = false;
  });

  after(async () => {
    dns.stop();
    await nodes.stopAll();
  });

  const discovery = (): object => ({ dnsServers: [dns.address] });

  it('gives a client its relays, through names that lead to others', async () => {
    dns.list(NAME, ['/dnsaddr/eu.example.test', `/dnsaddr/${NAME}`]);
    dns.list('eu.example.test', relay.addrs);
    const node = await nodes.start(`node${++count}`, { role: 'client', client: { relays: [`/dnsaddr/${NAME}`] }, discovery: discovery() });
    assert.deepEqual(await untilHolds(node, 1, PATIENCE_MS), [relay.peerId]);
    assert.equal(node.view.relays()[0]?.source, 'manual');
    assert.deepEqual([...new Set(dns.asked)], [`_dnsaddr.${NAME}`, '_dnsaddr.eu.example.test']);
  });

  it('gives only the address that ends as the entry does', async () => {
    const other = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGzh23nQj7QyqVcPB9xLtWmPQhCs2YPQkQwJcjnWq1111';
    dns.list(NAME, [...relay.addrs, other]);
    const node = await nodes.start(`node${++count}`, { role: 'client', client: { relays: [`/dnsaddr/${NAME}/p2p/${relay.peerId}`] }, discovery: discovery() });
    await untilHolds(node, 1, PATIENCE_MS);
    assert.deepEqual(node.view.relays().map(({ peer }) => peer), [relay.peerId]);
  });

  it('is asked for again soon when the DNS is down at the start', async () => {
    dns.silent = true;
    dns.list(NAME, relay.addrs);
    const node = await nodes.start(`node${++count}`, { role: 'client', client: { relays: [`/dnsaddr/${NAME}`] }, discovery: discovery() });
    await until(() => dns.asked.length > 0, 'it is asked');
    assert.deepEqual(node.view.relays(), []);
    dns.silent = false;
    assert.deepEqual(await untilHolds(node, 1, PATIENCE_MS), [relay.peerId]);
  });

  it('gives a relay its bootstrap peers', async () => {
    dns.list(NAME, relay.addrs);
    const node = await nodes.start(`node${++count}`, { role: 'relay', network: { listen: LISTEN }, discovery: { ...discovery(), bootstrap: [`/dnsaddr/${NAME}`] } });
    await until(async () => (await metric(node, 'relayd_discovery_bootstrap_connected')) === 1, 'it is connected');
    assert.ok((await relay.view.peers()).some(({ peer }) => peer === node.peerId));
  });

  it('does not lead a node of a public network to private addresses', async () => {
    dns.list(NAME, relay.addrs);
    const node = await nodes.start(`node${++count}`, { role: 'client', client: { relays: [`/dnsaddr/${NAME}`] }, network: { allowPrivate: false }, discovery: discovery() });
    await until(() => node.view.relays().some(({ failures }) => failures > 0), 'the relay is tried in vain');
    assert.deepEqual(relay.view.reservations(), []);
    assert.ok(!(await relay.view.peers()).some(({ peer }) => peer === node.peerId));
  });
});
