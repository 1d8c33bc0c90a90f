import type { ConnectionGater, Libp2pEvents, PeerId, PeerStore, TypedEventTarget } from '@libp2p/interface';
import type { ConnectionManager, Registrar, TransportManager } from '@libp2p/interface-internal';
import { CODE_P2P } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { ipOf, isCircuit } from '../lib/addresses.ts';
import type { HolePunchTransport } from './dcutr-metrics.ts';

/** What hole punching uses of libp2p's inside. */
export interface DcutrHost {
  readonly events: TypedEventTarget<Libp2pEvents>;
  readonly registrar: Pick<Registrar, 'handle' | 'unhandle'>;
  readonly connectionManager: Pick<ConnectionManager, 'getConnections'>;
  readonly transportManager: Pick<TransportManager, 'dial'>;
  readonly connectionGater: ConnectionGater;
  readonly peerStore: Pick<PeerStore, 'get'>;
}

/** `undefined` for an address that no hole can be punched to. */
export function transportOf(addr: Multiaddr): HolePunchTransport | undefined {
  const names = addr.decapsulateCode(CODE_P2P).getComponents().map(({ name }) => name).join('/');
  if (/^ip[46]\/tcp$/.test(names)) return 'tcp';
  return /^ip[46]\/udp\/quic-v1$/.test(names) ? 'quic' : undefined;
}

/** Those of `addrs` that may be dialled for `peer`, each once, with its id behind it: IP addresses alone, and what the gater allows. */
export async function dialable(host: DcutrHost, peer: PeerId, addrs: readonly Multiaddr[], max: number): Promise<Multiaddr[]> {
  const found = new Map<string, Multiaddr>();
  for (const addr of addrs) {
    const plain = addr.decapsulateCode(CODE_P2P);
    const full = plain.encapsulate(`/p2p/${peer.toString()}`);
    const usable = transportOf(plain) !== undefined && !isCircuit(addr) && ipOf(addr) !== undefined;
    if (found.size < max && usable && (await host.connectionGater.denyDialMultiaddr?.(full)) !== true) {
      found.set(full.toString(), full);
    }
  }
  return (await host.connectionGater.denyDialPeer?.(peer)) === true ? [] : [...found.values()];
}
