import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import type { KadDHT } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import type { Ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import fc from 'fast-check';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import type { CID } from 'multiformats/cid';
import { networkKey } from '../../../src/discovery/network-key.ts';
import { ProviderRecords, boundProviders } from '../../../src/discovery/provider-records.ts';
import { ManualClock, systemClock } from '../../../src/lib/clock.ts';
import { until } from '../../support/waiting.ts';
import { peer } from './support.ts';

const DAY_MS = 24 * 3_600_000;

function key(index: number): CID {
  return networkKey({ network: 'test', realm: undefined }, index);
}

describe('the provider records of others', () => {
  it('are what was added last and not removed, whatever the order', () => {
    const step = fc.record({ op: fc.constantFrom('add', 'remove'), key: fc.nat(3), peer: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const records = new ProviderRecords(new ManualClock());
        const model = new Map<number, string[]>();
        for (const { op, key: k, peer: p } of steps) {
          const others = (model.get(k) ?? []).filter((id) => id !== peer(p).toString());
          model.set(k, op === 'add' ? [peer(p).toString(), ...others] : others);
          if (op === 'add') records.add(key(k), peer(p));
          else records.remove(key(k), peer(p));
        }
        for (const [k, ids] of model) assert.deepEqual(records.of(key(k)).map(String), ids);
        assert.equal(records.size, [...model.values()].flat().length);
      }),
    );
  });

  it('are forgotten two days after they were renewed last', () => {
    const clock = new ManualClock();
    const records = new ProviderRecords(clock);
    records.add(key(1), peer(1));
    records.add(key(1), peer(2));
    clock.advance(DAY_MS);
    records.add(key(1), peer(1));
    clock.advance(DAY_MS);
    assert.deepEqual(records.of(key(1)).map(String), [peer(1).toString()]);
    clock.advance(DAY_MS);
    assert.deepEqual(records.of(key(1)), []);
    assert.equal(records.size, 0);
  });

  it('are bounded: of a key, of a peer, and in all, where the oldest go', () => {
    const records = new ProviderRecords(new ManualClock());
    for (let p = 1; p < 140; p++) records.add(key(-1), peer(p));
    assert.deepEqual(records.of(key(-1)).map(String), Array.from({ length: 128 }, (_, i) => peer(139 - i).toString()));
    for (let i = 0; i < 128; i++) records.remove(key(-1), peer(139 - i));
    for (let i = 0; i < 3_000; i++) records.add(key(i), peer(1));
    assert.equal(records.size, 1_024);
    for (let p = 2; p < 80; p++) {
      for (let i = 0; i < 600; i++) records.add(key(10_000 * p + i), peer(p));
    }
    assert.equal(records.size, 32_768);
    assert.deepEqual(records.of(key(0)), [], 'the oldest');
    assert.equal(records.of(key(790_000)).length, 1, 'the youngest');
  });
});

type Node = Libp2p<{ ping: Ping; dht: KadDHT }>;

/** It leans on what the library does inside: a test that fails here after a new version of it says that a way round it is gone, or needed no more. */
describe('the DHT, on this version of the library', () => {
  const nodes: Node[] = [];
  after(() => Promise.all(nodes.map(async (node) => node.stop())));

  async function make(mode: 'server' | 'client'): Promise<Node> {
    const node = await createLibp2p({
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      services: { identify: identify(), ping: ping(), dht: kadDHT({ protocol: '/relayd-test/kad/1.0.0', clientMode: mode === 'client', peerInfoMapper: passthroughMapper, initialQuerySelfInterval: 0 }) },
    });
    nodes.push(node);
    return node;
  }

  it('keeps its records where we bound them, and answers although it has forgotten one provider', { timeout: 20_000 }, async () => {
    const [server, provider, seeker] = [await make('server'), await make('client'), await make('client')];
    const bounded = boundProviders(server.services.dht, server.peerStore, systemClock);
    assert.ok(bounded !== undefined);
    for (const node of [provider, seeker]) await node.dial(server.getMultiaddrs());
    bounded.add(key(1), peer(1));
    const signal = AbortSignal.timeout(10_000);
    for await (const event of provider.services.dht.provide(key(1), { signal })) assert.notEqual(event.name, 'VALUE');
    await until(async () => (await found(seeker, signal)).includes(provider.peerId.toString()), 'the provider is found');
    const stored: string[] = [];
    const { datastore } = (server as unknown as { components: { datastore: { queryKeys: (query: object) => AsyncIterable<object> } } }).components;
    for await (const name of datastore.queryKeys({ prefix: '/dht/provider' })) stored.push(String(name));
    assert.deepEqual(stored, []);
    assert.equal(bounded.provides(provider.peerId), true);
    assert.equal(bounded.provides(seeker.peerId), false);
  });

  async function found(node: Node, signal: AbortSignal): Promise<string[]> {
    const ids: string[] = [];
    for await (const event of node.services.dht.findProviders(key(1), { signal })) {
      if (event.name === 'PROVIDER') ids.push(...event.providers.map(({ id }) => id.toString()));
    }
    return ids;
  }
});
