import type { PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { AccessList } from '../config/domain.ts';
import { contains, ipOf, parseCidr } from '../lib/addresses.ts';
import type { Cidr } from '../lib/addresses.ts';

/** An access list made ready: `deny` is asked first, then `allow`, which when empty allows anyone. */
export class Access {
  readonly #allow: Rules;
  readonly #deny: Rules;

  constructor(list: AccessList) {
    this.#allow = new Rules(list.allow);
    this.#deny = new Rules(list.deny);
  }

  /** @param addr where the peer connects from; a list of CIDRs cannot match without one */
  permits(peer: PeerId, addr: Multiaddr | undefined): boolean {
    if (this.#deny.match(peer, addr)) {
      return false;
    }
    return this.#allow.empty || this.#allow.match(peer, addr);
  }

  /** As far as that can be told without knowing where the peer connects from: a CIDR may let it in yet. */
  mayPermit(peer: PeerId): boolean {
    return this.permits(peer, undefined) || (!this.#deny.match(peer, undefined) && this.#allow.hasCidrs);
  }
}

class Rules {
  readonly #peers = new Set<string>();
  readonly #cidrs: Cidr[] = [];

  constructor(rules: readonly string[]) {
    for (const rule of rules) {
      if (/[.:/]/.test(rule)) {
        this.#cidrs.push(parseCidr(rule));
      } else {
        this.#peers.add(rule);
      }
    }
  }

  get empty(): boolean {
    return this.#peers.size === 0 && this.#cidrs.length === 0;
  }

  get hasCidrs(): boolean {
    return this.#cidrs.length > 0;
  }

  match(peer: PeerId, addr: Multiaddr | undefined): boolean {
    if (this.#peers.has(peer.toString())) {
      return true;
    }
    const address = addr === undefined ? undefined : ipOf(addr);
    return address !== undefined && this.#cidrs.some((cidr) => contains(cidr, address));
  }
}
