import type { Multiaddr } from '@multiformats/multiaddr';
import type { Candidate } from './candidate.ts';
import { findCircuitTransport } from './circuit-transport.ts';
import type { ClientComponents } from './components.ts';
import { announceable } from './reservation-addrs.ts';

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
    this.#record();
    return true;
  }

  /** libp2p would write the node's own record, from which identify pushes, a second later. */
  #record(): void {
    const { addressManager, peerStore, peerId } = this.#components;
    const own = `/p2p/${peerId.toString()}`;
    const multiaddrs = addressManager.getAddresses().map((addr) => addr.decapsulate(own));
    peerStore.patch(peerId, { multiaddrs }).catch(() => {});
  }

  /** libp2p keeps what it knows by host and port, which several addresses of one relay may share. */
  #withdraw(addr: Multiaddr): void {
    this.#components.addressManager.removeObservedAddr(addr);
    this.#announced.forEach((kept) => this.#components.addressManager.confirmObservedAddr(kept, { type: 'transport' }));
  }
}

/** The circuit addresses that work: those of relays which are held and answer. */
export function circuitAddrs(candidates: Iterable<Candidate>, allowPrivate: boolean): Multiaddr[] {
  const usable = [...candidates].filter((candidate) => candidate.held?.suspect === false);
  const addrs = usable.flatMap((candidate) => {
    const given = announceable(candidate.held?.reservation.addrs ?? [], allowPrivate);
    return given.length > 0 ? given : announceable(candidate.addrs, allowPrivate);
  });
  return addrs.map((addr) => addr.encapsulate('/p2p-circuit'));
}

function without(addrs: readonly Multiaddr[], others: readonly Multiaddr[]): Multiaddr[] {
  const known = new Set(others.map(String));
  return addrs.filter((addr) => !known.has(addr.toString()));
}
