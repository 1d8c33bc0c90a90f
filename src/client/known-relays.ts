import type { FoundPeer, KnownRelay } from '../lib/contracts.ts';
import type { Candidate } from './candidate.ts';

/** Enough to find a way back after a long time; each is a few hundred bytes on disk. */
const MAX_KNOWN = 32;

/** The relays that have served this node, in this run or an earlier one, the latest last. */
export class KnownRelays {
  readonly #byId = new Map<string, KnownRelay>();

  /** What an earlier run knew; what this one has seen itself stands above it. */
  remember(peers: readonly (FoundPeer & Partial<KnownRelay>)[]): void {
    const now = [...this.#byId.values()];
    this.#byId.clear();
    for (const { peer, addrs, lastServedAtWall = 0, availability = 1 } of peers) {
      this.#byId.set(peer.toString(), { peer, addrs, lastServedAtWall, availability });
    }
    now.forEach((relay) => this.#put(relay));
  }

  served(candidate: Candidate, wallMs: number, nowMs: number): void {
    this.#put({ peer: candidate.peer, addrs: candidate.addrs, lastServedAtWall: wallMs, availability: candidate.history.at(nowMs) });
  }

  list(): KnownRelay[] {
    return [...this.#byId.values()];
  }

  #put(relay: KnownRelay): void {
    const id = relay.peer.toString();
    this.#byId.delete(id);
    this.#byId.set(id, relay);
    while (this.#byId.size > MAX_KNOWN) {
      const [oldest = ''] = this.#byId.keys();
      this.#byId.delete(oldest);
    }
  }
}
