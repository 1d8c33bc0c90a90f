import type { PeerId, PeerInfo } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import type { FoundPeer } from '../lib/contracts.ts';
import { withDeadline } from '../lib/deadline.ts';
import { foundPeer } from './found.ts';
import type { IsUsable } from './found.ts';
import type { Dht } from './host.ts';
import { bucketAt, networkKey } from './network-key.ts';
import type { NetworkName } from './network-key.ts';

/** A look-up that has not ended by then has met peers that do not answer; what it found until then counts. */
const LOOKUP_DEADLINE_MS = 60_000;

/** With as many of this hour there is a choice; with fewer, a relay whose clock is an hour off is worth looking for. */
const ENOUGH = 2;

/** The most providers that a look-up waits for. */
const MAX_PROVIDERS = 32;

export interface LookupOptions {
  readonly dht: Dht;
  readonly name: NetworkName;
  readonly self: PeerId;
  readonly isUsable: IsUsable;
  readonly clock: Clock;
}

/** Looks up the relays that advertise themselves: {@link networkKey}. */
export class ProviderLookup {
  readonly #o: LookupOptions;

  constructor(options: LookupOptions) {
    this.#o = options;
  }

  /**
   * @param onFound hears of each as soon as it is known
   * @throws when the DHT did not answer
   */
  async run(stop: AbortSignal, onFound: (found: FoundPeer) => void): Promise<FoundPeer[]> {
    const found = new Map<string, FoundPeer>();
    const take = (peer: FoundPeer): void => {
      if (found.size < MAX_PROVIDERS && !found.has(peer.peer.toString())) {
        found.set(peer.peer.toString(), peer);
        onFound(peer);
      }
    };
    const present = bucketAt(this.#o.clock.wall());
    await this.#lookUp(present, stop, take, () => found.size >= MAX_PROVIDERS);
    if (found.size < ENOUGH) {
      await Promise.all([present - 1, present + 1].map((bucket) => this.#lookUp(bucket, stop, take, () => found.size >= MAX_PROVIDERS)));
    }
    return [...found.values()];
  }

  async #lookUp(bucket: number, stop: AbortSignal, take: (found: FoundPeer) => void, isFull: () => boolean): Promise<void> {
    const { dht, name, clock } = this.#o;
    await withDeadline(LOOKUP_DEADLINE_MS, clock, [stop], async (signal) => {
      for await (const event of dht.findProviders(networkKey(name, bucket), { signal })) {
        if (event.name === 'PROVIDER') {
          event.providers.map((provider) => this.#usable(provider)).forEach((found) => found !== undefined && take(found));
        }
        if (isFull()) return;
      }
    });
  }

  #usable({ id, multiaddrs }: PeerInfo): FoundPeer | undefined {
    return id.equals(this.#o.self) ? undefined : foundPeer(id, multiaddrs, this.#o.isUsable);
  }
}
