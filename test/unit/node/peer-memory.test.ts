import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { createLibp2p } from 'libp2p';
import { GonePeers, forgetProtocols } from '../../../src/node/peer-memory.ts';
import { ManualClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { makePeerIds } from '../../support/peer-ids.ts';
import { until } from '../../support/waiting.ts';

describe('forgetProtocols', () => {
  let ids: PeerId[];
  before(async () => void (ids = await makePeerIds(2)));

  it('keeps what is known of a peer but for the protocols of its streams, and all of the node itself', async () => {
    const node = await createLibp2p({ start: false });
    const [peer, other] = ids;
    assert.ok(peer !== undefined && other !== undefined);
    forgetProtocols(node.peerStore, node.peerId);

    const merged = await node.peerStore.merge(peer, { protocols: ['/a/1'] });
    assert.deepEqual([merged.id, merged.protocols, merged.addresses], [peer, ['/a/1'], []]);
    assert.equal(await node.peerStore.has(peer), false);

    await node.peerStore.merge(other, { protocols: ['/a/1'], tags: { used: { value: 1 } } });
    assert.deepEqual((await node.peerStore.get(other)).protocols, ['/a/1']);
    await node.peerStore.merge(node.peerId, { protocols: ['/b/1'] });
    assert.deepEqual((await node.peerStore.get(node.peerId)).protocols, ['/b/1']);
  });
});

describe('peers that have gone', () => {
  const AFTER_MS = 10_000;
  let ids: PeerId[];
  before(async () => void (ids = await makePeerIds(4)));

  it('are forgotten some seconds later, but not one that is back, in the routing table, or needed', async () => {
    const { peerStore } = await createLibp2p({ start: false });
    const clock = new ManualClock();
    const [gone, back, tagged, needed] = ids;
    assert.ok(gone !== undefined && back !== undefined && tagged !== undefined && needed !== undefined);
    const peers = new GonePeers({ store: peerStore, isConnected: (id) => id.equals(back), isNeeded: (id) => id.equals(needed), clock, log: silentLogger });
    ids.forEach((id) => peers.add(id));
    await peerStore.merge(tagged, { tags: { 'kad-peer': { value: 1 } } });
    for (const id of [gone, back, needed]) await peerStore.merge(id, { protocols: ['/stored/behind/its/leaving'] });
    clock.advance(AFTER_MS);
    await until(async () => !(await peerStore.has(gone)), 'it is forgotten');
    assert.deepEqual(await Promise.all([back, tagged, needed].map(async (id) => peerStore.has(id))), [true, true, true]);
    assert.equal(clock.pending, 0);
  });

  it('are left alone after a stop', async () => {
    const { peerStore } = await createLibp2p({ start: false });
    const clock = new ManualClock();
    const [gone] = ids;
    assert.ok(gone !== undefined);
    const peers = new GonePeers({ store: peerStore, isConnected: () => false, isNeeded: () => false, clock, log: silentLogger });
    await peerStore.merge(gone, { protocols: ['/a/1'] });
    peers.add(gone);
    peers.stop();
    assert.equal(clock.pending, 0);
    clock.advance(AFTER_MS);
    assert.equal(await peerStore.has(gone), true);
  });
});
