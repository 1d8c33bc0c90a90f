import type { Multiaddr } from '@multiformats/multiaddr';
import type { FoundPeer, RelaySource } from '../lib/contracts.ts';
import { TokenBuckets } from '../lib/token-bucket.ts';
import type { Candidate } from './candidate.ts';
import { groupByPeer } from './candidates.ts';
import { parseAddr } from './circuit-addr.ts';
import type { ClientContext } from './context.ts';
import { addrsOf, shuffled, sourceOf } from './found-peers.ts';
import type { FoundEntry } from './found-peers.ts';
import { RelayCheck } from './relay-check.ts';

/** The operator's own list, and bootstrap peers; beyond, it is no list of relays to choose from. */
const CONFIGURED_SHARE = 64;
/** Of each way of finding relays: none can push out what another found. */
const FOUND_SHARE = 16;
/** From one relay: a few ways out, not a way to fill the share. */
const NAMED_SHARE = 8;
/** How often one relay may name others than before: each is dialled, wherever that is. */
const NAMINGS = { count: 2, perMs: 60_000 };

interface ListingOptions {
  context: ClientContext;
  isWanted: () => boolean;
}

/**
 * Which relays are candidates: those that the operator names, and those peers, found in any way, that turn out to be relays.
 * A candidate that is no longer named is marked, and dropped by the supervisor when it is not needed any more.
 */
export class Listing {
  readonly #context: ClientContext;
  readonly #check: RelayCheck;
  /** What relays name, by the relay that does. */
  readonly #named = new Map<Candidate, FoundPeer[]>();
  readonly #namings: TokenBuckets;
  #manual: FoundPeer[] = [];

  constructor({ context, isWanted }: ListingOptions) {
    this.#context = context;
    this.#namings = new TokenBuckets(NAMINGS, context.clock);
    this.#check = new RelayCheck({ ...context, isWanted, onChange: () => this.#relist() });
  }

  start(): void {
    this.#check.start();
  }

  stop(): void {
    this.#check.stop();
    this.#named.clear();
    this.#manual = [];
  }

  /** @param relays and @param bootstrap full multiaddrs; what is not one is logged and left out */
  update(relays: readonly string[], bootstrap: readonly string[]): void {
    this.#manual = groupByPeer(this.#parse(relays)).peers.slice(0, CONFIGURED_SHARE);
    this.found('bootstrap', groupByPeer(this.#parse(bootstrap)).peers);
  }

  /** The whole present set of `source`. */
  found(source: RelaySource, peers: readonly FoundPeer[]): void {
    this.#check.update(source, peers);
    this.#relist();
  }

  /** Gives relays that were left out a turn, in the places of those that failed. */
  rotate(): void {
    this.#relist();
  }

  /** A relay names others, in place of those that it named before. */
  named(by: Candidate, addrs: readonly Multiaddr[]): void {
    const peers = groupByPeer(addrs).peers.slice(0, NAMED_SHARE);
    if (textOf(peers) !== textOf(this.#named.get(by) ?? []) && this.#namings.tryTake(by.id)) {
      this.#named.set(by, peers);
      this.#tellNamed();
    }
  }

  /** A relay is no candidate any more: what it named is not, for its sake. */
  forget(by: Candidate): void {
    if (this.#named.delete(by)) this.#tellNamed();
  }

  #tellNamed(): void {
    this.found('relay', groupByPeer([...this.#named.values()].flat().flatMap(({ addrs }) => addrs)).peers);
  }

  #relist(): void {
    for (const candidate of this.#context.candidates) {
      candidate.listed = false;
    }
    for (const { peer, addrs } of this.#manual) {
      this.#list(peer, addrs, 'manual');
    }
    for (const entry of this.#shares()) {
      this.#list(entry.peer, addrsOf(entry), sourceOf(entry));
    }
    this.#context.changed();
  }

  /** The found relays that become candidates: of each source as many as its share. */
  #shares(): FoundEntry[] {
    const bySource = Map.groupBy(this.#check.relays(), sourceOf);
    return [...bySource].flatMap(([source, entries]) => this.#best(entries, source === 'bootstrap' ? CONFIGURED_SHARE : FOUND_SHARE));
  }

  /** In use before good, good before untried, and those last that failed, so that others have their turn. */
  #best(entries: readonly FoundEntry[], share: number): FoundEntry[] {
    if (entries.length <= share) {
      return [...entries];
    }
    const worth = new Map(shuffled(entries, this.#context.random).map((entry) => [entry, this.#worth(entry)]));
    return [...worth].sort(([, a], [, b]) => a - b).slice(0, share).map(([entry]) => entry);
  }

  #worth(entry: FoundEntry): number {
    const candidate = this.#context.candidates.get(entry.peer.toString());
    if (candidate === undefined) {
      return 2;
    }
    if (candidate.inUse) {
      return 0;
    }
    return candidate.failures === 0 ? 1 : 3;
  }

  #list(...[peer, addrs, source]: [FoundPeer['peer'], readonly Multiaddr[], RelaySource]): void {
    const known = this.#context.candidates.get(peer.toString());
    if (known !== undefined && !known.listed) {
      known.addrs = [];
      known.source = source;
    }
    this.#context.candidates.add(peer, addrs, source);
  }

  #parse(texts: readonly string[]): Multiaddr[] {
    const parsed = texts.map((text) => ({ text, addr: parseAddr(text) }));
    const addrs = parsed.map(({ addr }) => addr).filter((addr) => addr !== undefined);
    const unusable = [...parsed.filter(({ addr }) => addr === undefined).map(({ text }) => text), ...groupByPeer(addrs).unusable.filter((addr) => !isName(addr)).map(String)];
    unusable.forEach((addr) => this.#context.log.warn({ addr }, 'not the full address of a relay: it must end in /p2p/ and a peer id, and may not be a circuit'));
    return addrs;
  }
}

function textOf(peers: readonly FoundPeer[]): string {
  return peers.flatMap(({ addrs }) => addrs.map(String)).join(' ');
}

/** `/dnsaddr/NAME` stands for others; whoever looks it up passes those on. */
function isName(addr: Multiaddr): boolean {
  return addr.getComponents()[0]?.name === 'dnsaddr';
}
