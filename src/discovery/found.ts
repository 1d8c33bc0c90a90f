import type { PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isCircuit, ownAddress } from '../lib/addresses.ts';
import type { FoundPeer } from '../lib/contracts.ts';

/** What one source may give at a time: more candidates than this nobody chooses from. */
export const MAX_FOUND = 64;

/** More addresses of one relay than this help nobody. */
const MAX_ADDRS = 16;

/** Whether this node would dial `addr`: it speaks the transport, and the policy for private addresses lets it. */
export type IsUsable = (addr: Multiaddr) => boolean;

/** `peer` with those of `addrs` that can be used, each ending in its id; `undefined` when none can. */
export function foundPeer(peer: PeerId, addrs: readonly Multiaddr[], isUsable: IsUsable): FoundPeer | undefined {
  const own = addrs.filter((addr) => !isCircuit(addr)).flatMap((addr) => ownAddress(addr, peer.toString()));
  const distinct = [...new Map(own.map((addr) => [addr.toString(), addr])).values()];
  const usable = distinct.filter(isUsable).slice(0, MAX_ADDRS);
  return usable.length === 0 ? undefined : { peer, addrs: usable };
}

/** One entry a peer, the first that names it; at most {@link MAX_FOUND}. */
export function merged(...lists: readonly (readonly FoundPeer[])[]): FoundPeer[] {
  const byId = new Map<string, FoundPeer>();
  for (const found of lists.flat()) {
    if (!byId.has(found.peer.toString())) byId.set(found.peer.toString(), found);
  }
  return [...byId.values()].slice(0, MAX_FOUND);
}
