import type { Multiaddr } from '@multiformats/multiaddr';

/** The relays that this one names to its clients, from both who know some: those of its own cluster before those that were found. */
export class NamedRelays {
  readonly #name: (addrs: readonly Multiaddr[]) => void;
  #cluster: readonly Multiaddr[] = [];
  #found: readonly Multiaddr[] = [];

  constructor(name: (addrs: readonly Multiaddr[]) => void) {
    this.#name = name;
  }

  readonly fromCluster = (addrs: readonly Multiaddr[]): void => {
    this.#cluster = addrs;
    this.#name([...this.#cluster, ...this.#found]);
  };

  readonly fromDiscovery = (addrs: readonly Multiaddr[]): void => {
    this.#found = addrs;
    this.#name([...this.#cluster, ...this.#found]);
  };
}
