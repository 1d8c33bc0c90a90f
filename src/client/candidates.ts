import type { PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { FoundPeer, RelaySource } from '../lib/contracts.ts';
import { Candidate } from './candidate.ts';
import { isCircuit, peerOf } from './circuit-addr.ts';
import type { ClientMetrics } from './metrics.ts';
import { distinct } from './reservation-addrs.ts';

/** What the shares of all sources come to; see listing.ts. A list of relays longer than this is no list of relays to choose from. */
export const MAX_CANDIDATES = 192;
const MAX_ADDRS_PER_CANDIDATE = 16;

/** The relays that this node may use, one entry a peer however many addresses name it. */
export class Candidates implements Iterable<Candidate> {
  readonly #byId = new Map<string, Candidate>();
  readonly #self: PeerId;
  readonly #metrics: ClientMetrics;

  constructor(self: PeerId, metrics: ClientMetrics) {
    this.#self = self;
    this.#metrics = metrics;
  }

  [Symbol.iterator](): Iterator<Candidate> {
    return this.#byId.values();
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Candidate | undefined {
    return this.#byId.get(id);
  }

  /**
   * Enters a relay, or adds the addresses to the one that is known. A manual entry stands above any other.
   *
   * @returns `undefined` for this node itself, and when there are too many
   */
  add(peer: PeerId, addrs: readonly Multiaddr[], source: RelaySource): Candidate | undefined {
    const known = this.#byId.get(peer.toString());
    if (known !== undefined) {
      known.addrs = distinct([...known.addrs, ...addrs]).slice(0, MAX_ADDRS_PER_CANDIDATE);
      known.source = source === 'manual' ? source : known.source;
      known.listed = true;
      return known;
    }
    if (peer.equals(this.#self) || this.#byId.size >= MAX_CANDIDATES) {
      return undefined;
    }
    const candidate = new Candidate(peer, distinct(addrs).slice(0, MAX_ADDRS_PER_CANDIDATE), source);
    this.#byId.set(candidate.id, candidate);
    this.#metrics.candidateAdded();
    return candidate;
  }

  remove(candidate: Candidate): void {
    if (this.#byId.delete(candidate.id)) {
      this.#metrics.candidateRemoved();
    }
  }

  clear(): void {
    [...this.#byId.values()].forEach((candidate) => this.remove(candidate));
  }
}

/** Relay addresses by the peer that they end in; circuits, and addresses that end in none, are returned apart. */
export function groupByPeer(addrs: readonly Multiaddr[]): { peers: FoundPeer[]; unusable: Multiaddr[] } {
  const groups = new Map<string, { peer: PeerId; addrs: Multiaddr[] }>();
  const unusable: Multiaddr[] = [];
  for (const addr of addrs) {
    const peer = isCircuit(addr) ? undefined : peerOf(addr);
    if (peer === undefined) {
      unusable.push(addr);
      continue;
    }
    const group = groups.get(peer.toString()) ?? { peer, addrs: [] };
    group.addrs.push(addr);
    groups.set(peer.toString(), group);
  }
  return { peers: [...groups.values()], unusable };
}
