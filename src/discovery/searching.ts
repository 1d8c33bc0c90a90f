import type { FoundPeer } from '../lib/contracts.ts';
import { sleep } from '../lib/deadline.ts';
import { merged } from './found.ts';
import { HopPeers } from './hop-peers.ts';
import { Loop } from './loop.ts';
import type { PartOptions } from './parts.ts';
import { ProviderLookup } from './provider-lookup.ts';
import type { LookupOptions } from './provider-lookup.ts';
import type { HopPeersOptions } from './hop-peers.ts';
import { walk } from './random-walk.ts';

/** When nothing is missing: a relay that has come since is heard of this soon. */
const IDLE_MS = 15 * 60_000;

/** While something is missing: from here, doubled each time, up to there. A large DHT is a commons. */
const WANTED_BASE_MS = 5_000;
const WANTED_CAP_MS = 300_000;

/** Relays that were just found get this long to be asked and reserved with before strangers are looked for. */
const PATIENCE_MS = 5_000;

/** One look-up may miss what is there; what two in a row miss is gone. */
const MISSES = 2;

/** Strangers named at a time; some refuse, and many more would be asked in vain. */
const MAX_STRANGERS = 32;

export interface SearchingOptions extends PartOptions, LookupOptions, Pick<HopPeersOptions, 'host'> {
  /** Whether strangers will do where no relay of the network is found. */
  readonly walks: boolean;
  /** Hears of all that is known now: those that advertise themselves before those met on a walk. */
  readonly onFound: (peers: readonly FoundPeer[]) => void;
  /** Hears after each look-up which relays of our network there are. */
  readonly onProviders: (peers: readonly FoundPeer[]) => void;
  /** What {@link Searching.isRelay} says has changed. */
  readonly onMet: () => void;
}

/**
 * Searches the DHT for relays: those of our network, by their records; and as long as the client wants more than there are, any peer that
 * relays, by walking about.
 */
export class Searching {
  readonly #o: SearchingOptions;
  readonly #lookup: ProviderLookup;
  readonly #met: HopPeers;
  readonly #loop: Loop;
  readonly #providers = new Map<string, { found: FoundPeer; missed: number }>();
  /** The one admitted first at the front. They stay when enough is there: the client may be using them. */
  readonly #strangers = new Map<string, FoundPeer>();
  #wanted = false;
  /** The network's own relays were not enough. */
  #admitsStrangers = false;
  #tries = 0;

  constructor(options: SearchingOptions) {
    const { host, isUsable, clock, random, log } = options;
    this.#o = options;
    this.#lookup = new ProviderLookup(options);
    this.#met = new HopPeers({ host, isUsable, onChange: () => this.#onMet() });
    this.#loop = new Loop({ name: 'search', work: (signal) => this.#search(signal), intervalMs: () => this.#intervalMs(), clock, random, log });
  }

  start(): void {
    this.#met.start();
    this.#loop.start();
  }

  stop(): void {
    this.#loop.stop();
    this.#met.stop();
    this.#providers.clear();
    this.#strangers.clear();
    this.#admitsStrangers = false;
  }

  /** Whether the client has fewer relays than it would like. */
  want(wanted: boolean): void {
    if (wanted && !this.#wanted) {
      this.#tries = 0;
      this.#loop.hurry();
    }
    this.#wanted = wanted;
    this.#admitsStrangers &&= wanted;
  }

  /** Whether this node has met the peer as a relay. */
  isRelay(id: string): boolean {
    return this.#met.has(id);
  }

  #intervalMs(): number {
    return this.#wanted ? Math.min(WANTED_CAP_MS, WANTED_BASE_MS * 2 ** Math.min(this.#tries, 30)) : IDLE_MS;
  }

  async #search(signal: AbortSignal): Promise<void> {
    this.#tries += 1;
    await this.#counted('providers', signal, () => this.#lookUp(signal));
    if (!this.#isMissing(signal)) {
      return;
    }
    await sleep(PATIENCE_MS, this.#o.clock, signal);
    if (this.#isMissing(signal)) {
      this.#makeRoom();
      this.#admitsStrangers = true;
      this.#admit();
      await this.#counted('walk', signal, () => walk(this.#o.dht, this.#o.clock, signal));
    }
  }

  #isMissing(signal: AbortSignal): boolean {
    return this.#o.walks && this.#wanted && !signal.aborted;
  }

  /** As many as there may be were not enough: the older half gives way to others. */
  #makeRoom(): void {
    if (this.#strangers.size >= MAX_STRANGERS) {
      [...this.#strangers.keys()].slice(0, MAX_STRANGERS / 2).forEach((id) => this.#strangers.delete(id));
    }
  }

  #onMet(): void {
    this.#admit();
    this.#o.onMet();
  }

  #admit(): void {
    const met = this.#admitsStrangers ? this.#met.list().filter(({ peer }) => !this.#strangers.has(peer.toString())) : [];
    const admitted = met.slice(0, MAX_STRANGERS - this.#strangers.size);
    admitted.forEach((found) => this.#strangers.set(found.peer.toString(), found));
    if (admitted.length > 0) this.#tell();
  }

  async #counted(kind: 'providers' | 'walk', signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#o.metrics.searched(kind, 'ok');
    } catch (error) {
      if (!signal.aborted) this.#o.metrics.searched(kind, 'failed');
      throw error;
    }
  }

  async #lookUp(signal: AbortSignal): Promise<void> {
    const seen = await this.#lookup.run(signal, (found) => this.#take(found));
    const ids = new Set(seen.map(({ peer }) => peer.toString()));
    for (const [id, entry] of this.#providers) {
      entry.missed = ids.has(id) ? 0 : entry.missed + 1;
      if (entry.missed >= MISSES) this.#providers.delete(id);
    }
    this.#o.onProviders(this.#ours());
    this.#tell();
  }

  #take(found: FoundPeer): void {
    const isNew = !this.#providers.has(found.peer.toString());
    this.#providers.set(found.peer.toString(), { found, missed: 0 });
    if (isNew) this.#tell();
  }

  #tell(): void {
    this.#o.onFound(merged(this.#ours(), [...this.#strangers.values()]));
  }

  #ours(): FoundPeer[] {
    return [...this.#providers.values()].map(({ found }) => found);
  }
}
