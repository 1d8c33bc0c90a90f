import type { PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { lookup as dnsLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { parseIp, reachOf } from '../lib/addresses.ts';

/**
 * Which addresses this node dials and tells others. Addresses that peers name are dialled only where they are public
 * (a peer could otherwise send us to services of this machine or its network); those in the configuration always are.
 */
export class AddressPolicy {
  readonly #allowPrivate: boolean;
  #own = new Set<string>();
  #ownHosts = new Set<string>();
  #ownPeers = new Set<string>();
  #trusted = new Set<string>();
  #trustedHosts = new Set<string>();

  /** @param configured multiaddrs that the operator wrote: relays and bootstrap peers */
  constructor(allowPrivate: boolean, configured: readonly string[]) {
    this.#allowPrivate = allowPrivate;
    this.configure(configured);
  }

  configure(configured: readonly string[]): void {
    const addrs = configured.map((addr) => multiaddr(addr));
    this.#own = new Set(addrs.map(endpoint));
    this.#ownHosts = new Set(addrs.flatMap((addr) => dnsNames(addr)));
    this.#ownPeers = new Set(addrs.flatMap((addr) => addr.getComponents().flatMap(({ name, value }) => (name === 'p2p' && value !== undefined ? [value] : []))));
  }

  /** Takes the addresses that relays of this node's own cluster tell it: like those of the operator, they are dialled wherever they lead. */
  trust(told: readonly string[]): void {
    const addrs = told.map((addr) => multiaddr(addr));
    this.#trusted = new Set(addrs.map(endpoint));
    this.#trustedHosts = new Set(addrs.flatMap((addr) => dnsNames(addr)));
  }

  /** True for a peer that the operator named. */
  isConfigured(peer: PeerId): boolean {
    return this.#ownPeers.has(peer.toString());
  }

  mayDial(addr: Multiaddr): boolean {
    return this.#allowPrivate || reachOf(addr) === 'public' || this.#own.has(endpoint(addr)) || this.#trusted.has(endpoint(addr));
  }

  /** Circuit addresses are the client's own concern: it announces only those that work. */
  mayTell(addr: Multiaddr): boolean {
    return this.#allowPrivate || reachOf(addr) === 'public';
  }

  /** Name resolution for dials: a name that leads to a private address is refused like the address itself. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, [], 0);
        return;
      }
      const usable = found.filter(({ address }) => this.#mayReach(hostname, address));
      if (usable.length === 0) {
        callback(new Error(`${hostname} leads only to private addresses, which network.allowPrivate: false does not dial`), [], 0);
      } else {
        answer(usable, options.all === true, callback);
      }
    });
  };

  #mayReach(hostname: string, address: string): boolean {
    const parsed = parseIp(address);
    return this.#allowPrivate || this.#ownHosts.has(hostname) || this.#trustedHosts.has(hostname) || parsed?.range() === 'unicast';
  }
}

function answer(found: readonly LookupAddress[], all: boolean, callback: Parameters<LookupFunction>[2]): void {
  const first = found[0];
  if (all || first === undefined) {
    callback(null, [...found]);
  } else {
    callback(null, first.address, first.family);
  }
}

/** Host and port, without what follows them: the same place under any peer id. */
function endpoint(addr: Multiaddr): string {
  return addr
    .getComponents()
    .slice(0, 2)
    .map(({ name, value }) => `/${name}/${value ?? ''}`)
    .join('');
}

function dnsNames(addr: Multiaddr): string[] {
  return addr.getComponents().flatMap(({ name, value }) => (name.startsWith('dns') && value !== undefined ? [value] : []));
}
