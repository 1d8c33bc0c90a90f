import type { IdentifyResult } from '@libp2p/interface';
import { HOP_PROTOCOL } from '../lib/circuit/protocol.ts';
import type { FoundPeer } from '../lib/contracts.ts';
import { MAX_FOUND, foundPeer } from './found.ts';
import type { IsUsable } from './found.ts';
import type { DiscoveryHost } from './host.ts';

export interface HopPeersOptions {
  readonly host: DiscoveryHost;
  readonly isUsable: IsUsable;
  readonly onChange: () => void;
}

/** Peers that this node has met, whatever for, and that said by identify that they relay: go-libp2p's and rust-libp2p's as well as ours. */
export class HopPeers {
  readonly #o: HopPeersOptions;
  /** The one met last at the end. */
  readonly #met = new Map<string, FoundPeer>();

  constructor(options: HopPeersOptions) {
    this.#o = options;
  }

  start(): void {
    this.#o.host.addEventListener('peer:identify', this.#onIdentify);
  }

  stop(): void {
    this.#o.host.removeEventListener('peer:identify', this.#onIdentify);
    this.#met.clear();
  }

  has(id: string): boolean {
    return this.#met.has(id);
  }

  list(): FoundPeer[] {
    return [...this.#met.values()].reverse();
  }

  readonly #onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const id = detail.peerId.toString();
    const found = detail.protocols.includes(HOP_PROTOCOL) ? foundPeer(detail.peerId, addrsOf(detail), this.#o.isUsable) : undefined;
    const had = this.#met.delete(id);
    if (found !== undefined) this.#met.set(id, found);
    if (this.#met.size > MAX_FOUND) this.#met.delete([...this.#met.keys()][0] ?? '');
    if (had || found !== undefined) this.#o.onChange();
  };
}

/** What it signed rather than what it says, and first of all what led to it. */
function addrsOf({ connection, signedPeerRecord, listenAddrs }: IdentifyResult): IdentifyResult['listenAddrs'] {
  const named = signedPeerRecord?.addresses ?? listenAddrs;
  return connection.direction === 'outbound' ? [connection.remoteAddr, ...named] : named;
}
