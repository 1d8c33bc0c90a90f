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

/** Beside them a reply holds a voucher. */
const MAX_ADDRS_BYTES = 2048;

/**
 * The addresses that go into a reservation (conformance 2): the relay's own, with its peer id, without `/p2p-circuit`, each
 * once. Public ones only, unless the operator named the addresses or allows private ones; where none is public the
 * widest reach that there is, because a reservation without an address is a failure to rust-libp2p.
 *
 * @param others full addresses of the cluster's other relays, which the peer is reached through as well: named as far as there is room
 */
export function reservationAddresses(own: readonly Multiaddr[], options: RelayAddressOptions, others: readonly Multiaddr[] = []): Multiaddr[] {
  const usable = own.filter((addr) => !isCircuit(addr));
  const complete = new Map(usable.flatMap((addr) => ownAddress(addr, options.peerId)).map((addr) => [addr.toString(), addr]));
  const all = [...complete.values()];
  const chosen = options.announced || options.allowPrivate ? all : widest(all);
  return others.length === 0 ? chosen.slice(0, MAX_ADDRS) : fitting([...chosen, ...foreign(others, options)]);
}

/** Those that anybody can use; this relay's own are there already. */
function foreign(others: readonly Multiaddr[], { peerId, allowPrivate }: RelayAddressOptions): Multiaddr[] {
  return others.filter((addr) => {
    const last = addr.getComponents().at(-1);
    return !isCircuit(addr) && last?.name === 'p2p' && last.value !== peerId && (allowPrivate || reachOf(addr) === 'public');
  });
}

function fitting(addrs: readonly Multiaddr[]): Multiaddr[] {
  let bytes = 0;
  return addrs.slice(0, MAX_ADDRS).filter((addr) => (bytes += addr.bytes.byteLength) <= MAX_ADDRS_BYTES);
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
