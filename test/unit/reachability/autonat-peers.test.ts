import assert from 'node:assert/strict';
import { before, beforeEach, describe, it } from 'node:test';
import type { Connection, IdentifyResult, PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { HOP_PROTOCOL } from '../../../src/lib/circuit/protocol.ts';
import { AutonatPeers } from '../../../src/reachability/autonat-peers.ts';
import { DIAL_REQUEST_PROTOCOL } from '../../../src/reachability/autonat-protocol.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

const MINUTE_MS = 60_000;

describe('the peers that can be asked', () => {
  let ids: PeerId[];
  let peers: AutonatPeers;

  before(async () => {
    ids = await makePeerIds(40);
  });

  beforeEach(() => {
    peers = new AutonatPeers();
  });

  function learn(index: number, { protocols = [DIAL_REQUEST_PROTOCOL], sees = '/ip4/8.8.8.8/tcp/5', over = '/ip4/9.9.9.9/tcp/1' } = {}): boolean {
    const connection = { remoteAddr: multiaddr(over), limits: undefined } as unknown as Connection;
    return peers.learn({ peerId: ids[index], protocols, observedAddr: multiaddr(sees), listenAddrs: [], connection } as unknown as IdentifyResult, 0);
  }

  const order = (nowMs = 0): number[] => peers.inOrder(nowMs).map(({ peer }) => ids.indexOf(peer));

  it('are those that say so, until they no longer do', () => {
    assert.equal(learn(0, { protocols: ['/other'] }), false);
    assert.equal(learn(0), true);
    assert.equal(learn(0), false, 'nothing new');
    assert.deepEqual(order(), [0]);
    learn(0, { protocols: [] });
    assert.deepEqual(order(), []);
  });

  it('are asked in this order: relays, then who was asked longest ago, and at the end those that had nothing to say', () => {
    [0, 1, 2].forEach((index) => learn(index));
    learn(3, { protocols: [HOP_PROTOCOL, DIAL_REQUEST_PROTOCOL] });
    const [relay, first, second] = peers.inOrder(0);
    assert.ok(relay && first && second);
    first.askedAt = 10;
    assert.deepEqual(order(), [3, 1, 2, 0]);
    peers.shun(relay, 0);
    peers.shun(second, 0);
    assert.deepEqual(order(), [2, 0, 3, 1]);
    assert.deepEqual(order(5 * MINUTE_MS), [3, 1, 2, 0]);
  });

  it('say where they see this node, unless a relay stands between', () => {
    learn(0);
    assert.equal(learn(0, { sees: '/ip4/8.8.4.4/tcp/5' }), true);
    learn(1, { sees: '/ip4/1.1.1.1/tcp/1', over: '/ip4/9.9.9.9/tcp/1/p2p-circuit' });
    assert.deepEqual([...peers.observed()], ['8.8.4.4']);
  });

  it('are no more than 32', () => {
    ids.forEach((_, index) => learn(index));
    assert.equal(order().length, 32);
  });
});
