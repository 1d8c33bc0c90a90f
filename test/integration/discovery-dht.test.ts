import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { RelayNode } from '../../src/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { errorMessage } from '../../src/lib/errors.ts';
import { freePort } from '../support/free-port.ts';
import { LISTEN, Nodes, metric, untilHolds } from '../support/nodes.ts';
import { until } from '../support/waiting.ts';

/** Relays that stand in the DHT, and clients that know nothing but one bootstrap address. */

const PROTOCOL = '/relayd-test/kad/1.0.0';
const PATIENCE_MS = 30_000;
const HOUR_MS = 3_600_000;
const FOUND = 'relayd_discovery_found{source="dht"}';

const nodes = new Nodes();

/** The wall clock of all nodes at once, which a test can step. */
let stepMs = 0;
const clock: Clock = { ...systemClock, wall: () => Date.now() + stepMs };

const dht = (bootstrap: readonly string[], more: object = {}): object => ({ bootstrap, dht: { enabled: true, protocol: PROTOCOL }, ...more });

function relay(name: string, bootstrap: readonly string[]): Promise<RelayNode> {
  return nodes.start(name, { role: 'relay', network: { listen: LISTEN }, discovery: dht(bootstrap) }, clock);
}

function client(name: string, bootstrap: readonly string[], desired = 2): Promise<RelayNode> {
  return nodes.start(name, { role: 'client', client: { desired }, discovery: dht(bootstrap) }, clock);
}

async function advertised(...relays: RelayNode[]): Promise<void> {
  for (const node of relays) {
    await until(async () => (await metric(node, 'relayd_discovery_advertised')) === 1, 'the relay stands in the DHT', PATIENCE_MS);
  }
}

describe('relays in the DHT', { timeout: 180_000 }, () => {
  let server: RelayNode;

  before(async () => {
    const mode = { dht: { enabled: true, protocol: PROTOCOL, mode: 'server' } };
    server = await nodes.start('server', { role: 'client', network: { listen: LISTEN }, discovery: mode }, clock);
  });

  afterEach(async () => {
    await Promise.all(['a', 'b', 'client', 'guest', 'other'].map((name) => nodes.stop(name)));
    stepMs = 0;
  });

  after(() => nodes.stopAll());

  it('are found by a client with one bootstrap address, which is none of them', async () => {
    const [a, b] = [await relay('a', server.addrs), await relay('b', server.addrs)];
    await advertised(a, b);
    const node = await client('client', server.addrs);
    assert.deepEqual((await untilHolds(node, 2, PATIENCE_MS)).sort(), [a.peerId, b.peerId].sort());
    assert.ok(node.view.relays().every(({ source }) => source === 'dht'), JSON.stringify(node.view.relays()));
  });

  it('name each other to those whom they cannot serve', async () => {
    const b = await relay('b', server.addrs);
    await advertised(b);
    const a = await nodes.start('a', { role: 'relay', network: { listen: LISTEN }, discovery: dht(server.addrs), relay: { limits: { reservations: { max: 1 } } } }, clock);
    // Neither client knows of any relay but this one; the second is refused there, and told of the other.
    const lists = { role: 'client', client: { relays: a.addrs, desired: 1 } };
    await until(async () => (await metric(a, FOUND)) === 1, 'the relay finds the other', PATIENCE_MS);
    await untilHolds(await nodes.start('client', lists, clock), 1);
    const node = await nodes.start('other', lists, clock);
    assert.deepEqual(await untilHolds(node, 1, PATIENCE_MS), [b.peerId]);
    assert.equal(node.view.relays().find(({ peer }) => peer === b.peerId)?.source, 'relay');
  });

  it('that drain make no further record, and are found no more when the hour of the last is over', async () => {
    const [a, b] = [await relay('a', server.addrs), await relay('b', server.addrs)];
    await advertised(a, b);
    await a.drain();
    assert.equal(await metric(a, 'relayd_discovery_advertised'), 0);
    await nodes.stop('b');
    stepMs = 3 * HOUR_MS;
    const back = await relay('b', server.addrs);
    await advertised(back);
    const node = await client('client', server.addrs, 1);
    await until(async () => (await metric(node, 'relayd_discovery_searches_total{kind="providers",outcome="ok"}')) > 0, 'a look-up', PATIENCE_MS);
    assert.equal(await metric(node, FOUND), 1);
    assert.equal(a.state, 'draining');
  });

  it('whose addresses are of no use to others are not advertised', async () => {
    const node = await nodes.start('a', { role: 'relay', network: { listen: LISTEN, allowPrivate: false }, discovery: dht(server.addrs) }, clock);
    await until(async () => (await metric(node, 'relayd_discovery_adverts_total{outcome="no address"}')) > 0, 'a look at its addresses');
    assert.equal(await metric(node, 'relayd_discovery_advertised'), 0);
  });

  it('are left alone by a relay that is told not to advertise', async () => {
    const node = await nodes.start('a', { role: 'relay', network: { listen: LISTEN }, discovery: { bootstrap: server.addrs, dht: { enabled: true, protocol: PROTOCOL, advertise: false } } }, clock);
    await until(async () => (await metric(node, 'relayd_discovery_bootstrap_connected')) === 1, 'it is in the DHT');
    await until(async () => (await metric(node, 'relayd_discovery_searches_total{kind="providers",outcome="ok"}')) > 0, 'a look-up', PATIENCE_MS);
    assert.equal(await metric(node, 'relayd_discovery_advertised'), 0);
  });

  it('forget a peer that is no part of the DHT when it has gone', async () => {
    const node = await relay('a', server.addrs);
    // One that the other servers of the DHT have never met either.
    const guest = await nodes.start('guest', { role: 'client', network: { listen: LISTEN }, client: { relays: node.addrs, desired: 1 } }, clock);
    await untilHolds(guest, 1, PATIENCE_MS);
    const { peerId } = guest;
    await nodes.stop('guest');
    const why = (): Promise<string> => node.dialler.dial(peerId, { signal: AbortSignal.timeout(PATIENCE_MS) }).then(() => 'reached', errorMessage);
    // As long as an address is known, it is the address that cannot be reached.
    let last = '';
    await until(async () => (last = await why()).endsWith('the DHT: Not found'), 'nothing is known of it', PATIENCE_MS).catch(() => assert.fail(last));
  });

  it('come back into it when their bootstrap peer does', async () => {
    await nodes.stop('server');
    const startServer = (port: number): Promise<RelayNode> => nodes.start('server', { role: 'client', network: { listen: [`/ip4/127.0.0.1/tcp/${port}`] }, discovery: { dht: { enabled: true, protocol: PROTOCOL, mode: 'server' } } }, clock);
    const port = await freePort();
    server = await startServer(port);
    const node = await relay('a', server.addrs);
    const connected = async (count: number): Promise<void> => until(async () => (await metric(node, 'relayd_discovery_bootstrap_connected')) === count, `${count} connected`, PATIENCE_MS);
    await connected(1);
    await nodes.stop('server');
    await connected(0);
    server = await startServer(port);
    await connected(1);
  });
});
