import type { Multiaddr } from '@multiformats/multiaddr';
import { findCircuitTransport } from './circuit-transport.ts';
import type { ClientComponents } from './components.ts';

/** The most circuit addresses announced: identify's messages are small. */
const MAX_ANNOUNCED = 16;

/** What the node tells others of how it is reached through relays: exactly the addresses last set. */
export class Announcer {
  readonly #components: ClientComponents;
  #announced: readonly Multiaddr[] = [];

  constructor(components: ClientComponents) {
    this.#components = components;
  }

  /** `/…/p2p/RELAY/p2p-circuit`, as set. */
  get addrs(): readonly Multiaddr[] {
    return this.#announced;
  }

  /** @returns whether anything changed */
  set(wanted: readonly Multiaddr[]): boolean {
    const next = wanted.slice(0, MAX_ANNOUNCED);
    const gone = without(this.#announced, next);
    const come = without(next, this.#announced);
    if (gone.length === 0 && come.length === 0) {
      return false;
    }
    this.#announced = next;
    // libp2p holds back addresses of transports that nobody has vouched for; a relay's answer vouches for these.
    come.forEach((addr) => this.#components.addressManager.confirmObservedAddr(addr, { type: 'transport' }));
    findCircuitTransport(this.#components)?.announce(next);
    gone.forEach((addr) => this.#withdraw(addr));
    return true;
  }

  /** libp2p keeps what it knows by host and port, which several addresses of one relay may share. */
  #withdraw(addr: Multiaddr): void {
    this.#components.addressManager.removeObservedAddr(addr);
    this.#announced.forEach((kept) => this.#components.addressManager.confirmObservedAddr(kept, { type: 'transport' }));
  }
}

function without(addrs: readonly Multiaddr[], others: readonly Multiaddr[]): Multiaddr[] {
  const known = new Set(others.map(String));
  return addrs.filter((addr) => !known.has(addr.toString()));
}
