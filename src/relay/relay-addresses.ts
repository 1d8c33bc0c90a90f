import type { Multiaddr } from '@multiformats/multiaddr';
import { isCircuit, ownAddress, reachOf } from '../lib/addresses.ts';
import type { Reach } from '../lib/addresses.ts';

export interface RelayAddressOptions {
  peerId: string;
  /** The operator named the addresses: they are given as they are. */
  announced: boolean;
  allowPrivate: boolean;
}

/** A frame holds 4 KiB; more addresses than this help nobody. */
const MAX_ADDRS = 16;

/**
 * The addresses that go into a reservation (conformance 2): the relay's own, with its peer id, without `/p2p-circuit`, each
 * once. Public ones only, unless the operator named the addresses or allows private ones; where none is public the
 * widest reach that there is, because a reservation without an address is a failure to rust-libp2p.
 */
export function reservationAddresses(own: readonly Multiaddr[], options: RelayAddressOptions): Multiaddr[] {
  const usable = own.filter((addr) => !isCircuit(addr));
  const complete = new Map(usable.flatMap((addr) => ownAddress(addr, options.peerId)).map((addr) => [addr.toString(), addr]));
  const all = [...complete.values()];
  const chosen = options.announced || options.allowPrivate ? all : widest(all);
  return chosen.slice(0, MAX_ADDRS);
}

function widest(addrs: readonly Multiaddr[]): Multiaddr[] {
  for (const reach of ['public', 'private'] satisfies Reach[]) {
    const found = addrs.filter((addr) => reachOf(addr) === reach);
    if (found.length > 0) {
      return found;
    }
  }
  return [...addrs];
}
