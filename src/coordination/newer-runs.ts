import { peerIdFromString } from '@libp2p/peer-id';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { LINK_KINDS } from './links.ts';
import type { Links, StandingLink } from './links.ts';
import { openRecord } from './record.ts';
import type { LiveRelay, Relays } from './relays.ts';
import type { ClusterSecret } from './secret.ts';

export interface NewerRunsOptions {
  readonly self: string;
  readonly epoch: number;
  readonly secret: ClusterSecret;
  readonly links: Pick<Links, 'answer' | 'onChange' | 'onLink'>;
  readonly relays: Pick<Relays, 'live' | 'onChange'>;
  /** A newer run of this relay is there: it has signed that itself. */
  readonly onFenced: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const DEADLINE_MS = 5_000;

/** One that did not answer (it is busy, starts, has changed its secret, or is of a version that does not know the question) is asked again so much later. */
const RETRY_MS = 5_000;

const OLDER = Uint8Array.of(0);
const NOT_OLDER = Uint8Array.of(1);

/** A link, and the newest run of its relay of which the other side is told. */
interface Told {
  readonly link: StandingLink;
  epoch: number;
  /** Runs where it did not answer. */
  retry: TimerHandle | undefined;
}

/**
 * A link does not say of which run of its relay it is. So each relay that is linked is shown the newest record of its own that is known here: where that is of a newer
 * run than it is itself, another process has taken its place. It is told thereby, also where it hears nothing from a store; and the link to it is given up, so that there is room for one to the newer.
 */
export class NewerRuns {
  readonly #o: NewerRunsOptions;
  readonly #links = new Map<string, Told>();
  #ends: (() => void)[] = [];

  constructor(options: NewerRunsOptions) {
    this.#o = options;
  }

  start(): void {
    const { links, relays } = this.#o;
    this.#ends = [
      links.answer(LINK_KINDS.run, (_from, record) => this.#answer(record)),
      links.onLink((link) => {
        this.#forget(link.peer);
        this.#links.set(link.peer, { link, epoch: 0, retry: undefined });
        this.#look();
      }),
      links.onChange((peer, isMember) => {
        if (!isMember) this.#forget(peer);
      }),
      relays.onChange(() => this.#look()),
    ];
  }

  stop(): void {
    this.#ends.splice(0).forEach((end) => end());
    [...this.#links.keys()].forEach((peer) => this.#forget(peer));
  }

  #forget(peer: string): void {
    this.#links.get(peer)?.retry?.cancel();
    this.#links.delete(peer);
  }

  #look(): void {
    for (const relay of this.#o.relays.live()) {
      const told = this.#links.get(relay.peer);
      if (told === undefined || told.retry !== undefined || told.epoch >= relay.record.epoch) continue;
      told.epoch = relay.record.epoch;
      void this.#tell(told, relay);
    }
  }

  async #tell(told: Told, { peer, sealed }: LiveRelay): Promise<void> {
    const { clock, log } = this.#o;
    const { link } = told;
    try {
      const answer = await withDeadline(DEADLINE_MS, clock, [], (signal) => link.ask(LINK_KINDS.run, sealed, signal));
      if (answer[0] !== OLDER[0]) return;
      log.warn({ relay: peer }, 'two processes run with the identity of a relay of the cluster: the link to the older one is given up');
      link.cut(new RelaydError('CLOSED', 'a newer run of the other relay is there'));
    } catch (error) {
      log.debug({ relay: peer, error: errorMessage(error) }, 'a relay has not said of which run it is');
      this.#askAgain(told);
    }
  }

  #askAgain(told: Told): void {
    if (this.#links.get(told.link.peer) !== told) return;
    told.retry?.cancel();
    told.retry = this.#o.clock.setTimer(() => {
      told.retry = undefined;
      told.epoch = 0;
      this.#look();
    }, RETRY_MS);
  }

  /** @throws RelaydError when this relay has not signed that */
  async #answer(sealed: Uint8Array): Promise<Uint8Array> {
    const { self, epoch, secret, onFenced } = this.#o;
    const record = await openRecord(sealed, peerIdFromString(self), secret);
    if (record.epoch <= epoch) return NOT_OLDER;
    // The answer is on its way before the links are closed.
    setImmediate(() => {
      if (this.#ends.length > 0) onFenced();
    });
    return OLDER;
  }
}
