import type { Clock, TimerHandle } from '../lib/clock.ts';
import { sleep, withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import type { SharedClaims } from '../lib/membership/bearer-claims.ts';
import { TokenBuckets } from '../lib/token-bucket.ts';
import { decodeQuestion, encodeAnswer } from './bearer-messages.ts';
import { BearerTelling } from './bearer-telling.ts';
import { LINK_KINDS } from './links.ts';
import type { Links } from './links.ts';

export interface BearerLinksOptions {
  readonly links: Pick<Links, 'members' | 'onChange' | 'ask' | 'answer'>;
  readonly claims: SharedClaims;
  /** The public key of the realm's authority, as hex; `undefined` where there is none. */
  readonly authority: () => string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Many times a link's round trip. */
const TELL_MS = 2_000;

/** A claim waits no longer behind the one before it: ten messages a second, however many peers come. */
const PAUSE_MS = 100;

/** What was lost, or came by a relay that has died since, is made up for so soon; a comparison is some 100 bytes. */
const COMPARE_EVERY_MS = 10_000;

/** Twice what a relay sends that keeps to the pause; what it tells beyond that is refused, and told again. */
const HEARD = { count: 120, perMs: 6_000 };

/** Shares with every linked relay who has used which bearer token, whatever the backend, so that a token's peers are counted over the cluster. */
export class BearerLinks implements Part {
  readonly name = 'bearers';
  readonly #o: BearerLinksOptions;
  readonly #heard: TokenBuckets;
  readonly #tellings = new Map<string, BearerTelling>();
  #undo: (() => void)[] = [];
  #stopped = new AbortController();
  #timer: TimerHandle | undefined;

  constructor(options: BearerLinksOptions) {
    this.#o = options;
    this.#heard = new TokenBuckets(HEARD, options.clock);
  }

  start(): void {
    const { links, claims } = this.#o;
    this.#stopped = new AbortController();
    this.#undo = [
      links.answer(LINK_KINDS.bearers, (from, message) => this.#answer(from, message)),
      links.onChange((relay, isMember) => (isMember ? this.#linked(relay) : this.#unlinked(relay))),
      claims.onClaim(() => this.#tellings.forEach((telling) => telling.news())),
    ];
    links.members().forEach((relay) => this.#linked(relay));
    this.#compareLater();
  }

  stop(): void {
    this.#undo.forEach((undo) => undo());
    this.#timer?.cancel();
    [...this.#tellings.keys()].forEach((relay) => this.#unlinked(relay));
    this.#stopped.abort(new Error('this relay stops'));
  }

  /** @throws RelaydError MALFORMED_MESSAGE, BUSY */
  #answer(from: string, message: Uint8Array): Uint8Array {
    if (!this.#heard.tryTake(from)) throw new RelaydError('BUSY', 'one relay tells too often who uses bearer tokens');
    const { authority, claims } = decodeQuestion(message);
    // Not every relay of a cluster has to serve the same realm.
    if (authority !== this.#o.authority()) return encodeAnswer(undefined);
    if (claims.length === 0) return encodeAnswer(this.#o.claims.digest());
    this.#o.claims.take(claims);
    return encodeAnswer(undefined);
  }

  #linked(relay: string): void {
    const { links, claims, authority, clock, log } = this.#o;
    const { signal: stopped } = this.#stopped;
    const telling = new BearerTelling({
      claims,
      authority,
      ask: (question) => withDeadline(TELL_MS, clock, [stopped], (signal) => links.ask(relay, LINK_KINDS.bearers, question, signal)),
      pause: () => sleep(PAUSE_MS, clock, stopped),
      onFailed: (error) => log.debug({ relay, error: errorMessage(error) }, 'a relay could not be told who uses which bearer token: it is with the next claim, or comparison'),
    });
    this.#tellings.set(relay, telling);
    telling.compare();
  }

  #unlinked(relay: string): void {
    this.#tellings.get(relay)?.end();
    this.#tellings.delete(relay);
  }

  #compareLater(): void {
    this.#timer = this.#o.clock.setCoarseTimer(() => {
      this.#compareLater();
      this.#tellings.forEach((telling) => telling.compare());
    }, COMPARE_EVERY_MS);
  }
}
