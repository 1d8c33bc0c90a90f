import { multiaddr } from '@multiformats/multiaddr';
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { FoundPeers, MAX_PER_SOURCE, addrsOf, sourceOf } from '../../../src/client/found-peers.ts';
import type { FoundPeer } from '../../../src/lib/contracts.ts';
import { seededRandom } from '../../support/random.ts';
import { newPeer } from './candidate-support.ts';

/** More than there are places for. */
const CROWD = MAX_PER_SOURCE + 200;
let crowd: FoundPeer[] = [];

async function found(port = 1): Promise<FoundPeer> {
  const peer = await newPeer();
  return { peer, addrs: [multiaddr(`/ip4/192.0.2.1/tcp/${port}/p2p/${peer.toString()}`)] };
}

async function empty(): Promise<FoundPeers> {
  return new FoundPeers(await newPeer(), seededRandom(1));
}

before(async () => {
  crowd = await Promise.all(Array.from({ length: CROWD }, (_, i) => found(i + 1)));
});

test('a peer of several sources is one entry with the addresses of all and the strongest word, and goes with the last', async () => {
  const peers = await empty();
  const one = await found();
  const elsewhere = { ...one, addrs: [multiaddr(`/ip4/192.0.2.2/tcp/9/p2p/${one.peer.toString()}`)] };
  peers.replace('cache', [one]);
  peers.replace('dht', [elsewhere]);
  const entry = peers.get(one.peer.toString());
  assert.ok(entry !== undefined);
  assert.deepEqual([peers.size, sourceOf(entry), addrsOf(entry).length], [1, 'dht', 2]);
  peers.replace('dht', []);
  assert.deepEqual([peers.size, sourceOf(entry), addrsOf(entry).length], [1, 'cache', 1]);
  peers.replace('cache', []);
  assert.equal(peers.size, 0);
});

test('what is known of a peer that stays is kept', async () => {
  const peers = await empty();
  const one = await found();
  peers.replace('dht', [one]);
  Object.assign(peers.get(one.peer.toString()) ?? {}, { supports: false, dueAt: 99 });
  peers.replace('dht', [await found(), one]);
  assert.deepEqual([peers.get(one.peer.toString())?.supports, peers.get(one.peer.toString())?.dueAt], [false, 99]);
});

test('this node itself, circuits and peers without an address are left out', async () => {
  const self = await newPeer();
  const peers = new FoundPeers(self, () => 0);
  const far = await found();
  const circuit = { ...far, addrs: [multiaddr(`${far.addrs[0]?.toString() ?? ''}/p2p-circuit/p2p/${far.peer.toString()}`)] };
  peers.replace('dht', [{ peer: self, addrs: far.addrs }, circuit, { ...far, addrs: [] }]);
  assert.equal(peers.size, 0);
});

test('a flood of one source does not push out what another found, nor its own relays', async () => {
  const peers = await empty();
  const [local, relay] = [await found(), crowd.at(-1)!];
  peers.replace('mdns', [local]);
  peers.replace('dht', [relay]);
  peers.get(relay.peer.toString())!.supports = true;
  for (let round = 0; round < 5; round++) {
    peers.replace('dht', crowd);
    assert.equal(peers.size, MAX_PER_SOURCE + 1);
    assert.equal(peers.get(relay.peer.toString())?.supports, true);
    assert.ok(peers.get(local.peer.toString()) !== undefined);
  }
});

test('of too many, other ones have their turn each time', async () => {
  const peers = await empty();
  const seen = new Set<string>();
  for (let round = 0; round < 20; round++) {
    peers.replace('dht', crowd);
    peers.values().forEach(({ peer }) => seen.add(peer.toString()));
  }
  assert.equal(seen.size, CROWD);
});
