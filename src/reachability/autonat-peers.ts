import type { Connection, IdentifyResult, PeerId } from '@libp2p/interface';
import { ipOf, isRelayed } from '../lib/addresses.ts';
import { HOP_PROTOCOL } from '../lib/circuit/protocol.ts';
import { DIAL_REQUEST_PROTOCOL } from './autonat-protocol.ts';

/** Ten times as many as are asked at a time. */
const MAX_KNOWN = 32;

/** A peer that did not answer, or dials nothing of ours, comes behind all others for so long. */
const SULK_MS = 5 * 60_000;

/** A peer that dials others back on request. */
export interface AutonatPeer {
  readonly peer: PeerId;
  readonly isRelay: boolean;
  /** Where it sees this node, as text. */
  seenAt: string | undefined;
  askedAt: number;
  shunnedUntil: number;
}

/** Whom this node may ask. */
export class AutonatPeers {
  readonly #known = new Map<string, AutonatPeer>();

  /** @returns whether anything new was learnt */
  learn({ peerId, protocols, observedAddr, connection }: IdentifyResult, nowMs: number): boolean {
    const id = peerId.toString();
    const before = this.#known.get(id);
    if (!protocols.includes(DIAL_REQUEST_PROTOCOL)) {
      return this.#known.delete(id);
    }
    // What is seen of a circuit is its relay.
    const seenAt = observedAddr === undefined || isRelayed(connection) ? before?.seenAt : ipOf(observedAddr)?.toString();
    const isRelay = protocols.includes(HOP_PROTOCOL);
    this.#known.set(id, { askedAt: -Infinity, shunnedUntil: -Infinity, ...before, peer: peerId, isRelay, seenAt });
    this.#makeRoom(nowMs);
    return before === undefined || before.seenAt !== seenAt;
  }

  /** Where peers see this node. */
  observed(): Set<string> {
    return new Set([...this.#known.values()].flatMap(({ seenAt }) => seenAt ?? []));
  }

  /** All, those to ask first in front: relays (there are always some, and this node is known to them), then who was asked longest ago. */
  inOrder(nowMs: number): AutonatPeer[] {
    const shunned = (peer: AutonatPeer): number => Number(peer.shunnedUntil > nowMs);
    return [...this.#known.values()].sort((a, b) => shunned(a) - shunned(b) || Number(b.isRelay) - Number(a.isRelay) || a.askedAt - b.askedAt);
  }

  shun(peer: AutonatPeer, nowMs: number): void {
    peer.shunnedUntil = nowMs + SULK_MS;
  }

  clear(): void {
    this.#known.clear();
  }

  #makeRoom(nowMs: number): void {
    const last = this.#known.size > MAX_KNOWN ? this.inOrder(nowMs).at(-1) : undefined;
    if (last !== undefined) {
      this.#known.delete(last.peer.toString());
    }
  }
}

/** The connection over which a peer can be asked: what it sees of a circuit is not this node. */
export function askableConnection(connections: readonly Connection[]): Connection | undefined {
  return connections.find((connection) => connection.status === 'open' && !isRelayed(connection));
}
