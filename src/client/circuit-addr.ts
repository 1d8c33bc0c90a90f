import type { PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { CODE_P2P, CODE_P2P_CIRCUIT, multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';

/** The parts of `/…/p2p/RELAY/p2p-circuit/p2p/TARGET`. */
interface CircuitAddr {
  readonly relay: PeerId;
  /** The relay's own address, with its peer id; only `/p2p/RELAY` when no more was given. */
  readonly relayAddr: Multiaddr;
  readonly target: PeerId;
}

/** `undefined` when `addr` is not one circuit to one peer; a circuit inside a circuit is not. */
export function parseCircuit(addr: Multiaddr): CircuitAddr | undefined {
  const parts = addr.getComponents();
  const at = parts.findIndex((part) => part.code === CODE_P2P_CIRCUIT);
  const relay = parts[at - 1];
  const target = parts[at + 1];
  if (at < 1 || parts.length !== at + 2 || relay?.code !== CODE_P2P || target?.code !== CODE_P2P) {
    return undefined;
  }
  const [relayId, targetId] = [peerIdOf(relay.value), peerIdOf(target.value)];
  if (relayId === undefined || targetId === undefined) {
    return undefined;
  }
  return { relay: relayId, relayAddr: addr.decapsulateCode(CODE_P2P_CIRCUIT), target: targetId };
}

export function isCircuit(addr: Multiaddr): boolean {
  return addr.getComponents().some((part) => part.code === CODE_P2P_CIRCUIT);
}

/** The peer that `addr` ends in, or `undefined`. */
export function peerOf(addr: Multiaddr): PeerId | undefined {
  const last = addr.getComponents().at(-1);
  return last?.code === CODE_P2P ? peerIdOf(last.value) : undefined;
}

/** `addr` with `/p2p/PEER` at its end; `undefined` when it ends in another peer. */
export function withPeer(addr: Multiaddr, peer: PeerId): Multiaddr | undefined {
  const last = addr.getComponents().at(-1);
  if (last?.code !== CODE_P2P) {
    return addr.encapsulate(`/p2p/${peer.toString()}`);
  }
  return peerOf(addr)?.equals(peer) === true ? addr : undefined;
}

/** The address of a circuit to `target` through the relay at `relayAddr`, which names the relay. */
export function circuitAddr(relayAddr: Multiaddr, target: PeerId): Multiaddr {
  return relayAddr.encapsulate(`/p2p-circuit/p2p/${target.toString()}`);
}

/** @returns `undefined` for text that is not a multiaddr */
export function parseAddr(text: string | Uint8Array): Multiaddr | undefined {
  try {
    const addr = multiaddr(text);
    return addr.getComponents().length > 0 ? addr : undefined;
  } catch {
    return undefined;
  }
}

/** @returns `undefined` for text that is not a peer id */
export function peerIdOf(text: string | undefined): PeerId | undefined {
  try {
    return text === undefined ? undefined : peerIdFromString(text);
  } catch {
    return undefined;
  }
}
