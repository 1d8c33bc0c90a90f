import type { Multiaddr } from '@multiformats/multiaddr';
import { contains, ipOf, networkOf, parseCidr } from './addresses.ts';
import type { Cidr } from './addresses.ts';

export interface PrefixRules {
  readonly ipv4: number;
  readonly ipv6: readonly number[];
  readonly exempt: readonly string[];
}

/** Which networks an address is counted under. */
export class Prefixes {
  readonly #rules: PrefixRules;
  readonly #exempt: Cidr[];

  constructor(rules: PrefixRules) {
    this.#rules = rules;
    this.#exempt = rules.exempt.map(parseCidr);
  }

  /** One key for IPv4, one a configured length for IPv6; none for an exempt address or one that is not IP. */
  keysOf(addr: Multiaddr): string[] {
    const address = ipOf(addr);
    if (address === undefined || this.#exempt.some((cidr) => contains(cidr, address))) {
      return [];
    }
    const lengths = address.kind() === 'ipv4' ? [this.#rules.ipv4] : this.#rules.ipv6;
    return lengths.map((bits) => networkOf(address, bits));
  }
}
