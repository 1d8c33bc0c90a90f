import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { Alternatives } from '../../../src/discovery/alternatives.ts';
import { BootstrapDials } from '../../../src/discovery/bootstrap-dials.ts';
import { foundPeer } from '../../../src/discovery/found.ts';
import type { DiscoveryHost } from '../../../src/discovery/host.ts';
import { multiaddr } from '@multiformats/multiaddr';
import { settled } from '../../support/waiting.ts';
import { base, peer } from './support.ts';

/** A host whose peers answer or not, as the test says. */
class DialledHost extends EventTarget {
  readonly peerId = peer(0);
  readonly up = new Set<string>();
  readonly connected = new Set<string>();
  readonly dialled: string[] = [];
  /** Dials under way, and the most that there were at a time. */
  under = 0;
  most = 0;

  async dial(addrs: Multiaddr[]): Promise<Connection> {
    const id = addrs[0]?.getComponents().at(-1)?.value ?? '';
    this.dialled.push(id);
    this.most = Math.max(this.most, ++this.under);
    await settled(1);
    this.under--;
    if (!this.up.has(id)) throw new Error('no answer');
    this.connected.add(id);
    return {} as Connection;
  }

  getConnections(id: PeerId): Connection[] {
    return this.connected.has(id.toString()) ? [{} as Connection] : [];
  }

  lose(id: PeerId): void {
    this.connected.delete(id.toString());
    this.dispatchEvent(new CustomEvent('peer:disconnect', { detail: id }));
  }
}

function addrOf(index: number): string {
  return `/ip4/192.0.2.1/tcp/4001/p2p/${peer(index).toString()}`;
}

function rig(up: number[]): { host: DialledHost; dials: BootstrapDials; clock: ReturnType<typeof base>['clock']; ids: (...indices: number[]) => string[] } {
  const parts = base();
  const host = new DialledHost();
  up.forEach((index) => host.up.add(peer(index).toString()));
  const dials = new BootstrapDials({ ...parts, host: host as unknown as DiscoveryHost });
  return { host, dials, clock: parts.clock, ids: (...indices) => indices.map((index) => peer(index).toString()) };
}

/** Four at a time, each in a turn of its own. */
const ROUNDS = 40;

const LIST = Array.from({ length: 20 }, (_, i) => i + 1);

describe('the connections to bootstrap peers', () => {
  it('are made at the start: to three of those that answer, a few at a time', async () => {
    const { host, dials } = rig(LIST);
    dials.update(LIST.map(addrOf));
    dials.start();
    await settled(ROUNDS);
    assert.ok(host.connected.size >= 3 && host.connected.size <= 6, `${host.connected.size} connected`);
    assert.ok(host.most <= 4, `${host.most} at a time`);
    dials.stop();
  });

  it('are made again at once when one is lost, and again until it succeeds', async () => {
    const { host, dials, clock, ids } = rig([1]);
    dials.update([addrOf(1)]);
    dials.start();
    await settled(ROUNDS);
    assert.deepEqual([...host.connected], ids(1));
    host.up.clear();
    clock.advance(5_000);
    host.lose(peer(1));
    clock.advance(0);
    await settled(ROUNDS);
    assert.equal(host.dialled.length, 2);
    for (let i = 0; i < 100; i++) {
      clock.advance(10_000);
      await settled(4);
    }
    assert.ok(host.dialled.length >= 12, `${host.dialled.length} dials in 1,000 s`);
    host.up.add(ids(1)[0] ?? '');
    clock.advance(60_000);
    await settled(ROUNDS);
    assert.deepEqual([...host.connected], ids(1));
    dials.stop();
    assert.equal(clock.pending, 0);
  });

  it('follow a list that changes, and spare those of the list from being trimmed', async () => {
    const { host, dials, ids } = rig([1, 2]);
    dials.start();
    await settled(ROUNDS);
    assert.deepEqual(host.dialled, []);
    dials.update([addrOf(2), addrOf(0)]);
    await settled(ROUNDS);
    assert.deepEqual(host.dialled, ids(2));
    assert.equal(dials.carries({ remotePeer: peer(2) }), true);
    assert.equal(dials.carries({ remotePeer: peer(1) }), false);
    dials.stop();
  });
});

describe('the relays that a relay names to others', () => {
  const found = (index: number): NonNullable<ReturnType<typeof foundPeer>> => {
    const one = foundPeer(peer(index), [multiaddr('/ip4/192.0.2.1/tcp/4001')], () => true);
    assert.ok(one !== undefined);
    return one;
  };

  it('are those that it has reached itself and that say that they relay, at most eight', async () => {
    const { clock } = base();
    const host = new DialledHost();
    const relays = new Set<string>();
    const given: string[][] = [];
    const alternatives = new Alternatives({ host: host as unknown as DiscoveryHost, isRelay: (id) => relays.has(id), onAlternatives: (addrs) => given.push(addrs.map(String)), clock });
    alternatives.start();
    [1, 2].forEach((index) => host.up.add(peer(index).toString()));
    relays.add(peer(1).toString());
    await alternatives.found([1, 2, 3].map(found));
    assert.deepEqual(given, [[addrOf(1)]]);
    relays.add(peer(2).toString());
    alternatives.tell();
    assert.deepEqual(given.at(-1), [addrOf(1), addrOf(2)]);
    alternatives.tell();
    assert.equal(given.length, 2, 'told only when they are others');
    host.up.delete(peer(1).toString());
    host.connected.clear();
    await alternatives.found([1, 2].map(found));
    assert.deepEqual(given.at(-1), [addrOf(2)], 'one that is gone');
    for (let i = 1; i < 20; i++) [host.up, relays].forEach((set) => set.add(peer(i).toString()));
    await alternatives.found(Array.from({ length: 19 }, (_, i) => found(i + 1)));
    assert.equal(given.at(-1)?.length, 8);
    alternatives.stop();
    assert.deepEqual(given.at(-1), []);
  });
});
