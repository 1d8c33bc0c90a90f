import type { Peer, PeerData, PeerId, PeerStore } from '@libp2p/interface';

/**
 * Keeps `store` from being written for each stream of each peer: libp2p notes the protocol of every stream that is opened, under a lock, as
 * a record that it decodes, merges and encodes again. A node that is nothing but a relay never reads these notes. What else is stored
 * (addresses, tags), and all that concerns the node itself, is stored as ever.
 */
export function forgetProtocols(store: PeerStore, self: PeerId): void {
  const merge = store.merge.bind(store);
  store.merge = (peer, data, options) => (isProtocolNote(data) && !self.equals(peer) ? Promise.resolve(unstored(peer, data)) : merge(peer, data, options));
}

function isProtocolNote(data: PeerData): boolean {
  const keys = Object.keys(data);
  return keys.length === 1 && keys[0] === 'protocols';
}

/** What merge() would have returned for a peer that nothing else is known of. */
function unstored(id: PeerId, data: PeerData): Peer {
  return { id, addresses: [], protocols: data.protocols ?? [], metadata: new Map(), tags: new Map() };
}
