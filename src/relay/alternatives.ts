import type { PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { MAX_ALTERNATIVES, isAlternative } from '../lib/directory/statement.ts';

/** Other relays, named to clients when this one refuses them or drains: those that the operator wrote first, then those that the node found. */
export class Alternatives {
  readonly #own: PeerId;
  #configured: readonly Multiaddr[] = [];
  #found: readonly Multiaddr[] = [];
  #addrs: readonly Multiaddr[] = [];
  #texts: readonly string[] = [];

  constructor(own: PeerId, configured: readonly string[]) {
    this.#own = own;
    this.configure(configured);
  }

  get addrs(): readonly Multiaddr[] {
    return this.#addrs;
  }

  get texts(): readonly string[] {
    return this.#texts;
  }

  configure(texts: readonly string[]): void {
    this.#configured = texts.map((text) => multiaddr(text));
    this.#choose();
  }

  setFound(addrs: readonly Multiaddr[]): void {
    this.#found = addrs;
    this.#choose();
  }

  #choose(): void {
    const own = this.#own.toString();
    const usable = [...this.#configured, ...this.#found].filter((addr) => isAlternative(addr) && addr.getComponents().at(-1)?.value !== own);
    const distinct = new Map(usable.map((addr) => [addr.toString(), addr]));
    this.#texts = [...distinct.keys()].slice(0, MAX_ALTERNATIVES);
    this.#addrs = [...distinct.values()].slice(0, MAX_ALTERNATIVES);
  }
}
