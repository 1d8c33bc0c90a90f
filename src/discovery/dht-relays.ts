import type { Multiaddr } from '@multiformats/multiaddr';
import type { RelaydConfig } from '../config/domain.ts';
import type { FoundPeer } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';
import { Advertising } from './advertising.ts';
import { Alternatives } from './alternatives.ts';
import type { IsUsable } from './found.ts';
import type { Dht, DiscoveryHost } from './host.ts';
import type { PartOptions } from './parts.ts';
import { Searching } from './searching.ts';

export interface DhtRelaysOptions extends PartOptions {
  readonly config: RelaydConfig;
  readonly dht: Dht;
  readonly host: DiscoveryHost;
  readonly isUsable: IsUsable;
  readonly isReachable: () => boolean;
  readonly onFound: (peers: readonly FoundPeer[]) => void;
  readonly onAlternatives: (addrs: readonly Multiaddr[]) => void;
}

/** What a node does with its DHT: it looks for relays; as a relay it advertises itself, and names those that it found to others. */
export class DhtRelays {
  readonly #o: DhtRelaysOptions;
  readonly #searching: Searching;
  readonly #advertising: Advertising | undefined;
  readonly #alternatives: Alternatives | undefined;

  constructor(options: DhtRelaysOptions) {
    const { config, host } = options;
    const name = { network: config.discovery.network, realm: config.realm.name };
    this.#o = options;
    this.#searching = new Searching({
      ...options,
      name,
      self: host.peerId,
      walks: config.role !== 'relay',
      onProviders: (peers) => void this.#alternatives?.found(peers),
      onMet: () => this.#alternatives?.tell(),
    });
    if (config.role !== 'client') {
      this.#advertising = config.discovery.dht.advertise ? new Advertising({ ...options, name }) : undefined;
      this.#alternatives = new Alternatives({ ...options, isRelay: (id) => this.#searching.isRelay(id) });
    }
  }

  start(): void {
    this.#alternatives?.start();
    this.#advertising?.start();
    this.#searching.start();
  }

  async stop(): Promise<void> {
    this.#searching.stop();
    this.#alternatives?.stop();
    await this.withdraw();
  }

  want(wanted: boolean): void {
    this.#searching.want(wanted);
  }

  /** This relay goes: it makes no further record of itself. */
  async withdraw(): Promise<void> {
    await this.#advertising?.withdraw().catch((error: unknown) => this.#o.log.debug({ error: errorMessage(error) }, 'a record of this relay stays in its own store'));
  }
}
