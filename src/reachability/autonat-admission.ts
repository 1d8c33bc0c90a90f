import type { Connection } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { Counts } from '../lib/counts.ts';
import { Prefixes } from '../lib/prefixes.ts';
import type { PrefixRules } from '../lib/prefixes.ts';
import { TokenBucket, TokenBuckets } from '../lib/token-bucket.ts';

const MINUTE_MS = 60_000;

/** go-libp2p's. A client of ours asks twice a minute at most, while nothing goes wrong. */
const PER_PEER = { count: 12, perMs: MINUTE_MS };

/** Thirty clients that all accept connections behind one address, each asking twice a minute. */
const PER_PREFIX = { count: 60, perMs: MINUTE_MS };

/** Ten handshakes a second, each some milliseconds of CPU: what serving clients may cost a relay at the very most. */
const IN_ALL = { count: 600, perMs: MINUTE_MS };

/** A dial that a firewall swallows takes its whole deadline; those that are answered at once must still find a place. */
const MAX_AT_ONCE = 64;
const MAX_AT_ONCE_PER_PREFIX = 8;

/** Who may have a dial made for it now. What is admitted is released exactly once. */
export class AutonatAdmission {
  readonly #prefixes: Prefixes;
  readonly #perPeer: TokenBuckets;
  readonly #perPrefix: TokenBuckets;
  readonly #inAll: TokenBucket;
  /** Under way, by peer and by prefix. */
  readonly #busy = new Counts();
  #running = 0;

  constructor(prefixes: PrefixRules, clock: Clock) {
    this.#prefixes = new Prefixes(prefixes);
    this.#perPeer = new TokenBuckets(PER_PEER, clock);
    this.#perPrefix = new TokenBuckets(PER_PREFIX, clock);
    this.#inAll = new TokenBucket(IN_ALL, clock);
  }

  get running(): number {
    return this.#running;
  }

  /** @returns what releases the place; `undefined` when there is none */
  admit({ remotePeer, remoteAddr }: Pick<Connection, 'remotePeer' | 'remoteAddr'>): (() => void) | undefined {
    const peer = remotePeer.toString();
    const prefixes = this.#prefixes.keysOf(remoteAddr);
    if (!this.#hasPlace(peer, prefixes) || !this.#takeTokens(peer, prefixes)) {
      return undefined;
    }
    this.#busy.add(peer, ...prefixes);
    this.#running += 1;
    return () => {
      this.#busy.remove(peer, ...prefixes);
      this.#running -= 1;
    };
  }

  #hasPlace(peer: string, prefixes: readonly string[]): boolean {
    return this.#running < MAX_AT_ONCE && this.#busy.of(peer) === 0 && this.#busy.highest(prefixes) < MAX_AT_ONCE_PER_PREFIX;
  }

  /** All or none: who is refused by one limit does not use up another. */
  #takeTokens(peer: string, prefixes: readonly string[]): boolean {
    const mustWait = this.#inAll.waitMs() > 0 || this.#perPeer.waitMs(peer) > 0 || prefixes.some((prefix) => this.#perPrefix.waitMs(prefix) > 0);
    if (!mustWait) {
      this.#inAll.tryTake();
      this.#perPeer.tryTake(peer);
      prefixes.forEach((prefix) => this.#perPrefix.tryTake(prefix));
    }
    return !mustWait;
  }
}
