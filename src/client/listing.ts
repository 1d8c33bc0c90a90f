import type { Logger } from '../lib/logger.ts';
import { BootstrapPeers } from './bootstrap.ts';
import type { BootstrapOptions } from './bootstrap.ts';
import { groupByPeer } from './candidates.ts';
import type { Candidates } from './candidates.ts';
import { parseAddr } from './circuit-addr.ts';
import type { Multiaddr } from '@multiformats/multiaddr';

interface ListingOptions extends Omit<BootstrapOptions, 'onRelay' | 'onNoRelay'> {
  candidates: Candidates;
  onChange: () => void;
}

/**
 * Which relays are candidates: those that the operator names, and those bootstrap peers that turn out to be relays.
 * A candidate that is no longer named is marked, and dropped by the supervisor when it is not needed any more.
 */
export class Listing {
  readonly #candidates: Candidates;
  readonly #bootstrap: BootstrapPeers;
  readonly #log: Logger;
  readonly #onChange: () => void;
  #manual: Multiaddr[] = [];

  constructor(options: ListingOptions) {
    this.#candidates = options.candidates;
    this.#log = options.log;
    this.#onChange = options.onChange;
    this.#bootstrap = new BootstrapPeers({ ...options, onRelay: () => this.#relist(), onNoRelay: () => this.#relist() });
  }

  start(): void {
    this.#bootstrap.start();
  }

  stop(): void {
    this.#bootstrap.stop();
  }

  /** @param relays and @param bootstrap full multiaddrs; what is not one is logged and left out */
  update(relays: readonly string[], bootstrap: readonly string[]): void {
    this.#manual = this.#parse(relays);
    this.#bootstrap.update(this.#parse(bootstrap));
    this.#relist();
  }

  #relist(): void {
    for (const candidate of this.#candidates) {
      candidate.listed = false;
    }
    for (const { peer, addrs } of groupByPeer(this.#manual).groups.values()) {
      this.#list(peer, addrs, 'manual');
    }
    for (const { peer, addrs } of this.#bootstrap.relays()) {
      this.#list(peer, addrs, 'bootstrap');
    }
    this.#onChange();
  }

  #list(...[peer, addrs, source]: Parameters<Candidates['add']>): void {
    const known = this.#candidates.get(peer.toString());
    if (known !== undefined && !known.listed) {
      known.addrs = [];
      known.source = source;
    }
    this.#candidates.add(peer, addrs, source);
  }

  #parse(texts: readonly string[]): Multiaddr[] {
    const parsed = texts.map((text) => ({ text, addr: parseAddr(text) }));
    const addrs = parsed.map(({ addr }) => addr).filter((addr) => addr !== undefined);
    const unusable = [...parsed.filter(({ addr }) => addr === undefined).map(({ text }) => text), ...groupByPeer(addrs).unusable.map(String)];
    unusable.forEach((addr) => this.#log.warn({ addr }, 'not the full address of a relay: it must end in /p2p/ and a peer id, and may not be a circuit'));
    return addrs;
  }
}
