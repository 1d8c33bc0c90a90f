import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { IdentifyResult, PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { HOP_PROTOCOL } from '../../../src/lib/circuit/protocol.ts';
import type { FoundPeer } from '../../../src/lib/contracts.ts';
import { BUCKET_MS, bucketAt, networkKey } from '../../../src/discovery/network-key.ts';
import { Searching } from '../../../src/discovery/searching.ts';
import { settled } from '../../support/waiting.ts';
import { MemoryDht, base, peer } from './support.ts';

const NAME = { network: 'main', realm: undefined };
const ADDR = multiaddr('/ip4/1.2.3.4/tcp/4001');
/** Between the start of a look-up and a walk, and between two look-ups that are wanted. */
const SOON_MS = 12_000;

let parts: ReturnType<typeof base>;
let dht: MemoryDht;
let events: EventTarget;
let searching: Searching;
let given: (readonly FoundPeer[])[];
let providers: (readonly FoundPeer[])[];

function start(walks = true): void {
  const host = { peerId: peer(0), addEventListener: events.addEventListener.bind(events), removeEventListener: events.removeEventListener.bind(events) };
  searching = new Searching({
    ...parts,
    dht,
    name: NAME,
    self: peer(0),
    host: host as never,
    walks,
    isUsable: (addr) => !addr.toString().startsWith('/ip4/10.'),
    onFound: (peers) => given.push(peers),
    onProviders: (peers) => providers.push(peers),
    onMet: () => {},
  });
  searching.start();
}

function advertised(bucketsFromNow: number, ...peers: PeerId[]): void {
  dht.put(networkKey(NAME, bucketAt(parts.clock.wall()) + bucketsFromNow), ...peers.map((id) => ({ id, multiaddrs: [ADDR] })));
}

function meet(id: PeerId, protocols = [HOP_PROTOCOL], addr = ADDR): void {
  const result: Partial<IdentifyResult> = { peerId: id, protocols, listenAddrs: [addr], connection: { direction: 'inbound' } as never };
  events.dispatchEvent(new CustomEvent('peer:identify', { detail: result }));
}

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5_000) {
    await settled(2);
    parts.clock.advance(Math.min(left, 5_000));
  }
  await settled(2);
}

function ids(peers: readonly FoundPeer[] | undefined): string[] {
  return (peers ?? []).map(({ peer: id }) => id.toString()).sort();
}

function names(...indices: number[]): string[] {
  return indices.map((index) => peer(index).toString()).sort();
}

describe('a search in the DHT', () => {
  beforeEach(() => {
    parts = base();
    dht = new MemoryDht();
    events = new EventTarget();
    given = [];
    providers = [];
  });

  afterEach(() => searching.stop());

  it('finds the relays of this hour at the start, itself left out', async () => {
    advertised(0, peer(0), peer(1), peer(2));
    start();
    await settled();
    assert.deepEqual(ids(given.at(-1)), names(1, 2));
    assert.deepEqual(ids(providers.at(-1)), names(1, 2));
    assert.ok(given.at(-1)?.every(({ peer: id, addrs }) => addrs[0]?.toString() === `/ip4/1.2.3.4/tcp/4001/p2p/${id.toString()}`));
  });

  it('does not ask for other hours when this one names enough', async () => {
    advertised(0, peer(1), peer(2));
    advertised(-1, peer(3));
    start();
    await settled();
    assert.equal(dht.count('find'), 1);
    assert.deepEqual(ids(given.at(-1)), names(1, 2));
  });

  it('asks for the hours beside this one when this one names too few: clocks differ', async () => {
    advertised(-1, peer(1));
    advertised(1, peer(2));
    start();
    await settled();
    assert.deepEqual(ids(given.at(-1)), names(1, 2));
  });

  it('finds a relay no more that stopped renewing two hours ago', async () => {
    advertised(0, peer(1), peer(2));
    start();
    await settled();
    dht.records.clear();
    await pass(BUCKET_MS);
    assert.deepEqual(ids(given.at(-1)), []);
  });

  it('keeps what one look-up missed', async () => {
    advertised(0, peer(1), peer(2));
    start();
    await settled();
    const records = new Map(dht.records);
    dht.records.clear();
    await pass(15 * 60_000);
    assert.deepEqual(ids(given.at(-1)), names(1, 2), 'missed once');
    for (const [key, infos] of records) dht.records.set(key, infos);
    await pass(15 * 60_000);
    assert.deepEqual(ids(given.at(-1)), names(1, 2), 'found again');
  });

  it('keeps what it has found while the DHT does not answer', async () => {
    advertised(0, peer(1));
    start();
    await settled();
    dht.failure = new Error('no peers');
    await pass(BUCKET_MS);
    assert.deepEqual(ids(given.at(-1)), names(1));
  });

  it('leaves out a provider without an address that this node may dial', async () => {
    dht.put(networkKey(NAME, bucketAt(parts.clock.wall())), { id: peer(1), multiaddrs: [multiaddr('/ip4/10.0.0.1/tcp/4001')] });
    start();
    await settled();
    assert.deepEqual(ids(given.at(-1)), []);
  });

  it('takes no more than its bound from a key that somebody has flooded', async () => {
    advertised(0, ...Array.from({ length: 79 }, (_, i) => peer(i + 1)));
    start();
    await settled();
    assert.equal(given.at(-1)?.length, 32);
  });

  it('looks again soon while the client wants more, ever less often, and rarely otherwise', async () => {
    start(false);
    await pass(60_000);
    assert.equal(dht.count('find'), 3, 'this hour and its neighbours, once');
    searching.want(true);
    await pass(60_000);
    const inMinute = dht.count('find') / 3;
    assert.ok(inMinute >= 3 && inMinute <= 5, `${inMinute} look-ups`);
    await pass(BUCKET_MS);
    assert.ok(dht.count('find') / 3 - inMinute <= 18, `${dht.count('find') / 3} look-ups`);
  });

  it('walks among strangers only when the client still wants more after a look-up', async () => {
    start();
    meet(peer(1));
    await pass(SOON_MS);
    assert.equal(dht.count('walk'), 0);
    assert.deepEqual(ids(given.at(-1)), []);
    searching.want(true);
    await pass(SOON_MS);
    assert.ok(dht.count('walk') >= 1);
    assert.deepEqual(ids(given.at(-1)), names(1), 'met before');
    meet(peer(2));
    meet(peer(3), ['/ipfs/ping/1.0.0']);
    assert.deepEqual(ids(given.at(-1)), names(1, 2), 'those that relay, as they are met');
  });

  it('admits no strangers any more when there is enough, and keeps those that may be in use', async () => {
    start();
    searching.want(true);
    await pass(SOON_MS);
    meet(peer(1));
    searching.want(false);
    meet(peer(2));
    const walks = dht.count('walk');
    await pass(BUCKET_MS);
    assert.deepEqual(ids(given.at(-1)), names(1));
    assert.equal(dht.count('walk'), walks);
  });

  it('lets strangers that were of no use give way to others', async () => {
    start();
    searching.want(true);
    await pass(SOON_MS);
    for (let i = 1; i <= 40; i++) meet(peer(i));
    assert.equal(given.at(-1)?.length, 32);
    for (let i = 41; i <= 60; i++) meet(peer(i));
    await pass(120_000);
    const now = ids(given.at(-1));
    assert.equal(now.length, 32);
    assert.ok(!now.includes(peer(1).toString()) && now.includes(peer(60).toString()));
  });

  it('names no strangers to a relay, which looks for others of its network', async () => {
    start(false);
    searching.want(true);
    meet(peer(1));
    await pass(60_000);
    assert.equal(dht.count('walk'), 0);
    assert.deepEqual(ids(given.at(-1)), []);
  });
});
