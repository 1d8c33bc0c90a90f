import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { PeerId } from '@libp2p/interface';
import { createLibp2p } from 'libp2p';
import { forgetProtocols } from '../../../src/node/peer-memory.ts';
import { makePeerIds } from '../../support/peer-ids.ts';

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
