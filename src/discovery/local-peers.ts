import type { PeerDiscovery, PeerId, PeerInfo } from '@libp2p/interface';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import type { FoundPeer } from '../lib/contracts.ts';
import { MAX_FOUND, foundPeer } from './found.ts';
import type { IsUsable } from './found.ts';

/** The local network is asked every 10 s: one that has not answered six times is gone. */
const FORGET_MS = 60_000;

export interface LocalPeersOptions {
  readonly mdns: PeerDiscovery;
  readonly self: PeerId;
  readonly isUsable: IsUsable;
  readonly onFound: (peers: readonly FoundPeer[]) => void;
  readonly clock: Clock;
}

/** The peers that answer by multicast DNS in the local network, as long as they do. */
export class LocalPeers {
  readonly #o: LocalPeersOptions;
  readonly #seen = new Map<string, { found: FoundPeer; at: number }>();
  #timer: TimerHandle | undefined;

  constructor(options: LocalPeersOptions) {
    this.#o = options;
  }

  start(): void {
    this.#o.mdns.addEventListener('peer', this.#onPeer);
  }

  stop(): void {
    this.#o.mdns.removeEventListener('peer', this.#onPeer);
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#seen.clear();
  }

  readonly #onPeer = ({ detail }: CustomEvent<PeerInfo>): void => {
    const found = detail.id.equals(this.#o.self) ? undefined : foundPeer(detail.id, detail.multiaddrs, this.#o.isUsable);
    const known = this.#seen.get(detail.id.toString());
    if (found === undefined || (known === undefined && this.#seen.size >= MAX_FOUND)) {
      return;
    }
    this.#seen.set(detail.id.toString(), { found, at: this.#o.clock.now() });
    this.#timer ??= this.#o.clock.setTimer(this.#forget, FORGET_MS);
    if (known?.found.addrs.join() !== found.addrs.join()) this.#tell();
  };

  readonly #forget = (): void => {
    const oldest = this.#o.clock.now() - FORGET_MS;
    const gone = [...this.#seen].filter(([, { at }]) => at <= oldest);
    gone.forEach(([id]) => this.#seen.delete(id));
    this.#timer = this.#seen.size === 0 ? undefined : this.#o.clock.setTimer(this.#forget, FORGET_MS);
    if (gone.length > 0) this.#tell();
  };

  #tell(): void {
    this.#o.onFound([...this.#seen.values()].map(({ found }) => found));
  }
}
