import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PeerDiscovery, PeerInfo } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { LocalPeers } from '../../../src/discovery/local-peers.ts';
import { base, peer } from './support.ts';

const ADDR = multiaddr('/ip4/192.168.1.7/tcp/4001');

interface Rig {
  local: LocalPeers;
  clock: ReturnType<typeof base>['clock'];
  given: string[][];
  answer: (index: number, ...addrs: Multiaddr[]) => void;
}

function rig(): Rig {
  const { clock } = base();
  const mdns = new EventTarget();
  const given: string[][] = [];
  const local = new LocalPeers({
    mdns: mdns as PeerDiscovery,
    self: peer(0),
    isUsable: (addr) => !addr.toString().startsWith('/ip4/127.'),
    onFound: (peers) => given.push(peers.map(({ peer: id, addrs }) => `${id.toString()} ${addrs.join()}`)),
    clock,
  });
  const answer = (index: number, ...addrs: Multiaddr[]): void => {
    const detail: PeerInfo = { id: peer(index), multiaddrs: addrs };
    mdns.dispatchEvent(new CustomEvent('peer', { detail }));
  };
  return { local, clock, given, answer };
}

function shown(index: number, addr = ADDR): string {
  return `${peer(index).toString()} ${addr.toString()}/p2p/${peer(index).toString()}`;
}

describe('peers of the local network', () => {
  it('are told of when they answer first, and when they have another address, and not each time', () => {
    const { local, given, answer } = rig();
    local.start();
    answer(1, ADDR);
    answer(1, ADDR);
    assert.deepEqual(given, [[shown(1)]]);
    const moved = multiaddr('/ip4/192.168.1.8/tcp/4001');
    answer(1, moved);
    assert.deepEqual(given.at(-1), [shown(1, moved)]);
    local.stop();
  });

  it('are forgotten when they have not answered for a minute, those that did are kept', () => {
    const { local, clock, given, answer } = rig();
    local.start();
    answer(1, ADDR);
    answer(2, ADDR);
    for (let i = 0; i < 12; i++) {
      clock.advance(10_000);
      answer(2, ADDR);
    }
    assert.deepEqual(given.at(-1), [shown(2)]);
    clock.advance(120_000);
    assert.deepEqual(given.at(-1), []);
    assert.equal(clock.pending, 0);
    local.stop();
  });

  it('are not the node itself, nor one that cannot be dialled', () => {
    const { local, given, answer } = rig();
    local.start();
    answer(0, ADDR);
    answer(1, multiaddr('/ip4/127.0.0.1/tcp/4001'));
    answer(2);
    assert.deepEqual(given, []);
    local.stop();
  });

  it('are at most 64, whoever answers', () => {
    const { local, given, answer } = rig();
    local.start();
    for (let i = 1; i < 80; i++) answer(i, ADDR);
    assert.equal(given.at(-1)?.length, 64);
    local.stop();
  });

  it('are not heard any more after a stop, and are again after a start', () => {
    const { local, given, answer, clock } = rig();
    local.start();
    answer(1, ADDR);
    local.stop();
    answer(2, ADDR);
    assert.equal(given.length, 1);
    assert.equal(clock.pending, 0);
    local.start();
    answer(2, ADDR);
    assert.deepEqual(given.at(-1), [shown(2)]);
    local.stop();
  });
});
