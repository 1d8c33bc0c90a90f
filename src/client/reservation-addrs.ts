import type { PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { ipOf, reachOf } from '../lib/addresses.ts';
import { isCircuit, parseAddr, withPeer } from './circuit-addr.ts';

/** More addresses of one relay than this help nobody and fill the record that identify pushes. */
const MAX_RELAY_ADDRS = 16;

/**
 * The relay's addresses from a reservation, each ending in its peer id. What is not a multiaddr, is a circuit itself, or
 * names another peer is dropped, and so is 0.0.0.0.
 */
export function relayAddrs(encoded: readonly Uint8Array[], relay: PeerId): Multiaddr[] {
  const addrs = encoded.map((bytes) => parseAddr(bytes)).filter((addr) => addr !== undefined);
  const places = addrs.filter((addr) => !isCircuit(addr) && ipOf(addr)?.range() !== 'unspecified');
  return distinct(places.map((addr) => withPeer(addr, relay))).slice(0, MAX_RELAY_ADDRS);
}

/** Those that may be announced: private and loopback ones only where the config allows such. */
export function announceable(addrs: readonly Multiaddr[], allowPrivate: boolean): Multiaddr[] {
  return addrs.filter((addr) => addr.getComponents().length > 1 && (allowPrivate || reachOf(addr) === 'public'));
}

export function distinct(addrs: readonly (Multiaddr | undefined)[]): Multiaddr[] {
  const byText = new Map<string, Multiaddr>();
  for (const addr of addrs) {
    if (addr !== undefined) {
      byText.set(addr.toString(), addr);
    }
  }
  return [...byText.values()];
}
