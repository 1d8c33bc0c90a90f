import type { PeerId } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { abortable } from '../lib/deadline.ts';
import type { Registry } from './backend.ts';
import { FindLinks } from './find-links.ts';
import type { Links } from './links.ts';
import { Patience } from './patience.ts';

export interface HoldersOptions {
  readonly self: string;
  readonly registry: Pick<Registry, 'holders'>;
  readonly links: Pick<Links, 'members' | 'ask' | 'answer'>;
  /** Whether it is one of the cluster's relays, as far as this one knows. */
  readonly isRelay: (relay: string) => boolean;
  /** Whether the registry has told that it is alive. */
  readonly isLive: (relay: string) => boolean;
  /** Whether this relay holds a reservation of the peer's. */
  readonly holds: (peer: string) => boolean;
  readonly clock: Clock;
}

/** A store that has not answered in time is waited for no more for so long: a beat later it is known whether it is away. */
const MISSED_MS = 1_000;

/** After the store was away, or was found to be: by then each relay has found that it is back, and has told it all that it holds. */
const SETTLING_MS = 15_000;

/** Holders of one target that are told and remembered: more than a peer has reservations. Who can write to the store can name any number. */
const MAX_HOLDERS = 16;

/** Targets whose holders are remembered for when the store is away. */
const MAX_REMEMBERED = 10_000;

/** Finds the relays that hold a peer's reservation: in the registry, or, while that may not know, from the relays themselves and from memory. */
export class Holders {
  readonly #o: HoldersOptions;
  readonly #remembered = new Map<string, readonly string[]>();
  readonly #found: FindLinks;
  readonly #patience: Patience;
  #doubtUntil = -Infinity;

  constructor(options: HoldersOptions) {
    this.#o = options;
    this.#found = new FindLinks(options);
    this.#patience = new Patience(options.clock);
  }

  start(): void {
    this.#found.start();
  }

  stop(): void {
    this.#found.stop();
  }

  /** The store is away, or was just now: what it says may be old, and the relays are asked too. */
  doubt(ms = SETTLING_MS): void {
    this.#doubtUntil = Math.max(this.#doubtUntil, this.#o.clock.now() + ms);
  }

  /** Others than this relay, likeliest first, {@link MAX_HOLDERS} at most. Never rejects. */
  async of(target: PeerId, signal: AbortSignal): Promise<readonly string[]> {
    const peer = target.toString();
    const told = this.#askStore(peer, signal);
    const isSure = this.#o.clock.now() >= this.#doubtUntil;
    const holders = isSure ? await told : undefined;
    if (signal.aborted) return [];
    if (holders === undefined) return await this.#withRelays(peer, told, signal);
    this.#remember(peer, holders);
    return holders.length > 0 ? holders : await this.#ofUntold(peer, signal);
  }

  /** `undefined`: it does not answer, or not in time. Never rejects. */
  async #askStore(peer: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
    const { registry, clock } = this.#o;
    const wait = this.#patience.wait(this.#patience.limitMs(), signal);
    const askedAt = clock.now();
    try {
      const holders = await abortable(registry.holders(peer, wait.signal), wait.signal);
      this.#patience.took(clock.now() - askedAt);
      return this.#likely(holders);
    } catch {
      if (!signal.aborted) this.doubt(MISSED_MS);
      return undefined;
    } finally {
      wait.clear();
    }
  }

  /** Few of them are tried: names that somebody made up must not stand before relays. One that is not known yet may be new. */
  #likely(holders: readonly string[]): readonly string[] {
    const { self, isRelay } = this.#o;
    const [relays, strangers]: [string[], string[]] = [[], []];
    for (const relay of holders) {
      if (relay !== self) (isRelay(relay) ? relays : strangers).push(relay);
    }
    return [...relays, ...strangers].slice(0, MAX_HOLDERS);
  }

  /** What the relays say themselves is surer than what was so once, or what a store says that may have been told nothing of late. */
  async #withRelays(peer: string, told: Promise<readonly string[] | undefined>, signal: AbortSignal): Promise<readonly string[]> {
    const remembered = this.#remembered.get(peer) ?? [];
    const members = this.#o.links.members();
    const asked = [...new Set([...remembered.filter((relay) => members.includes(relay)), ...members])];
    const said = await this.#found.ask(asked, peer, signal);
    const holding = asked.filter((relay) => said.get(relay) === true);
    // Who is found waits no longer.
    const hinted = holding.length > 0 ? remembered : ((await told) ?? remembered);
    return [...holding, ...hinted.filter((relay) => !said.has(relay))].slice(0, MAX_HOLDERS);
  }

  /** Of relays that are linked and cannot tell the store anything: it has told that they are gone, or not yet that they are there. */
  async #ofUntold(peer: string, signal: AbortSignal): Promise<readonly string[]> {
    const { links, isLive } = this.#o;
    const untold = links.members().filter((relay) => !isLive(relay));
    const said = await this.#found.ask(untold, peer, signal);
    return untold.filter((relay) => said.get(relay) === true).slice(0, MAX_HOLDERS);
  }

  #remember(peer: string, holders: readonly string[]): void {
    this.#remembered.delete(peer);
    if (holders.length > 0) this.#remembered.set(peer, holders);
    const oldest = this.#remembered.keys().next();
    if (this.#remembered.size > MAX_REMEMBERED && !oldest.done) this.#remembered.delete(oldest.value);
  }
}
