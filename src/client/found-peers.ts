import type { PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { FoundPeer, RelaySource } from '../lib/contracts.ts';
import { isCircuit } from './circuit-addr.ts';
import { distinct } from './reservation-addrs.ts';

/** Each source has places of its own, so that no flood of one pushes out what another found; all together are a few megabytes. */
export const MAX_PER_SOURCE = 1_024;

/** Of one peer, from one source. */
const MAX_ADDRS = 16;

/** Who is believed before whom. */
const SOURCES: readonly RelaySource[] = ['manual', 'bootstrap', 'dht', 'mdns', 'relay', 'cache'];

/** A peer that may be a relay. */
export interface FoundEntry {
  readonly peer: PeerId;
  readonly offers: Map<RelaySource, readonly Multiaddr[]>;
  /** Whether it relays; `undefined` until it has told. */
  supports: boolean | undefined;
  failures: number;
  /** When to ask it, on the monotonic clock. */
  dueAt: number;
  checking: boolean;
}

/** The peers that each source names now. One that none names any more is forgotten. */
export class FoundPeers {
  readonly #byId = new Map<string, FoundEntry>();
  readonly #self: PeerId;
  readonly #random: () => number;

  constructor(self: PeerId, random: () => number) {
    this.#self = self;
    this.#random = random;
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): FoundEntry | undefined {
    return this.#byId.get(id);
  }

  values(): FoundEntry[] {
    return [...this.#byId.values()];
  }

  clear(): void {
    this.#byId.clear();
  }

  /** The whole present set of `source`; of more than there are places for, those known to be relays and then any. */
  replace(source: RelaySource, peers: readonly FoundPeer[]): void {
    const chosen = new Map(this.#chosen(peers).map((found) => [found.peer.toString(), found]));
    for (const [id, entry] of this.#byId) {
      if (!chosen.has(id)) entry.offers.delete(source);
      if (entry.offers.size === 0) this.#byId.delete(id);
    }
    for (const [id, { peer, addrs }] of chosen) {
      const entry = this.#byId.get(id) ?? { peer, offers: new Map(), supports: undefined, failures: 0, dueAt: 0, checking: false };
      entry.offers.set(source, distinct(addrs).slice(0, MAX_ADDRS));
      this.#byId.set(id, entry);
    }
  }

  #chosen(peers: readonly FoundPeer[]): FoundPeer[] {
    const usable = peers.filter(({ peer, addrs }) => !peer.equals(this.#self) && addrs.length > 0 && !addrs.some(isCircuit));
    if (usable.length <= MAX_PER_SOURCE) {
      return usable;
    }
    const isRelay = ({ peer }: FoundPeer): boolean => this.#byId.get(peer.toString())?.supports === true;
    return [...usable.filter(isRelay), ...shuffled(usable.filter((found) => !isRelay(found)), this.#random)].slice(0, MAX_PER_SOURCE);
  }
}

/** The strongest word that there is of a peer. */
export function sourceOf(entry: FoundEntry): RelaySource {
  return SOURCES.find((source) => entry.offers.has(source)) ?? 'cache';
}

export function addrsOf(entry: FoundEntry): Multiaddr[] {
  return distinct([...entry.offers.values()].flat()).slice(0, MAX_ADDRS);
}

/** In any order, each as likely as another. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  for (let i = left.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [left[i] as T, left[j] as T];
    left[i] = b;
    left[j] = a;
  }
  return left;
}
