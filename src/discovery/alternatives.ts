import type { Multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../lib/clock.ts';
import type { FoundPeer } from '../lib/contracts.ts';
import { withDeadline } from '../lib/deadline.ts';
import type { DiscoveryHost } from './host.ts';

/** Relays that a relay names to those whom it cannot serve. */
const MAX_ALTERNATIVES = 8;

/** A client tries the first; one more is for a relay of two families. */
const ADDRS_EACH = 2;

const DIAL_DEADLINE_MS = 10_000;

export interface AlternativesOptions {
  readonly host: DiscoveryHost;
  readonly isRelay: (id: string) => boolean;
  readonly onAlternatives: (addrs: readonly Multiaddr[]) => void;
  readonly clock: Clock;
}

/** Of the relays that were found, those that this relay itself has reached: nobody is sent to one that is gone. */
export class Alternatives {
  readonly #o: AlternativesOptions;
  #reached: readonly FoundPeer[] = [];
  #stopped = new AbortController();
  #told = '';

  constructor(options: AlternativesOptions) {
    this.#o = options;
  }

  start(): void {
    this.#stopped = new AbortController();
  }

  stop(): void {
    this.#stopped.abort();
    this.#reached = [];
    this.tell();
  }

  async found(peers: readonly FoundPeer[]): Promise<void> {
    const stop = this.#stopped.signal;
    const tried = await Promise.all(peers.slice(0, MAX_ALTERNATIVES).map((found) => this.#reach(found, stop)));
    if (!stop.aborted) {
      this.#reached = tried.filter((found) => found !== undefined);
      this.tell();
    }
  }

  /** Identify may tell that one of them relays only after it was reached. */
  tell(): void {
    const relays = this.#reached.filter(({ peer }) => this.#o.isRelay(peer.toString()));
    const addrs = relays.flatMap((found) => found.addrs.slice(0, ADDRS_EACH));
    if (addrs.join() !== this.#told) {
      this.#told = addrs.join();
      this.#o.onAlternatives(addrs);
    }
  }

  async #reach(found: FoundPeer, stop: AbortSignal): Promise<FoundPeer | undefined> {
    const { host, clock } = this.#o;
    if (host.getConnections(found.peer).length > 0) {
      return found;
    }
    const dial = withDeadline(DIAL_DEADLINE_MS, clock, [stop], (signal) => host.dial([...found.addrs], { signal }));
    return dial.then(() => found, () => undefined);
  }
}
