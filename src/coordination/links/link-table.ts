import type { Clock } from '../../lib/clock.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { ClusterSecret } from '../secret.ts';
import type { Link } from './link.ts';
import { isBetter } from './preference.ts';

/** A link whose place another has taken answers for so long what was asked over it. */
const RETIRE_MS = 1_000;

export interface LinkTableOptions {
  readonly self: string;
  readonly secret: ClusterSecret;
  readonly clock: Clock;
  readonly log: Logger;
  /** There is no link to this relay any more. */
  readonly onLost: (peer: string) => void;
}

/** The links that stand, one a relay, and those that are on their way out. */
export class LinkTable {
  readonly #o: LinkTableOptions;
  readonly #links = new Map<string, Link>();
  readonly #retiring = new Set<Link>();
  readonly #listeners = new Set<(relay: string, isMember: boolean) => void>();
  readonly #linkListeners = new Set<(link: Link) => void>();

  constructor(options: LinkTableOptions) {
    this.#o = options;
  }

  get size(): number {
    return this.#links.size;
  }

  members(): string[] {
    return [...this.#links.values()].flatMap((link) => (link.isOpen ? [link.peer] : []));
  }

  get(peer: string): Link | undefined {
    const link = this.#links.get(peer);
    return link?.isOpen === true ? link : undefined;
  }

  onChange(listener: (relay: string, isMember: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Hears of each link that stands, and that comes to stand. The result ends that. */
  onLink(listener: (link: Link) => void): () => void {
    this.#linkListeners.add(listener);
    [...this.#links.values()].filter(({ isOpen }) => isOpen).forEach(listener);
    return () => this.#linkListeners.delete(listener);
  }

  /** Those to relays that have proved with a secret which has been taken out since. */
  unproven(): Link[] {
    return [...this.#links.values()].filter((link) => link.isOpen && !this.#o.secret.accepts(link.provedWith));
  }

  /** Of two links to a relay one stands; the other is still read for a moment. */
  add(link: Link): void {
    const held = this.#links.get(link.peer);
    if (held !== undefined && held.isOpen && !this.#isProvedAnew(link, held) && !isBetter(link, held, this.#o.self, link.peer)) {
      this.#retire(link);
      return;
    }
    this.#links.set(link.peer, link);
    if (held === undefined) {
      this.#o.log.info({ relay: link.peer }, 'linked to another relay of the cluster');
      this.#tell(link.peer, true);
    } else {
      this.#retire(held);
    }
    this.#linkListeners.forEach((listener) => listener(link));
  }

  remove(link: Link, why: RelaydError): void {
    this.#retiring.delete(link);
    if (this.#links.get(link.peer) !== link) {
      return;
    }
    this.#links.delete(link.peer);
    this.#o.log.info({ relay: link.peer, reason: errorMessage(why) }, 'the link to another relay of the cluster is gone');
    this.#tell(link.peer, false);
    this.#o.onLost(link.peer);
  }

  closeAll(why: RelaydError): void {
    [...this.#links.values(), ...this.#retiring].forEach((link) => link.close(why));
  }

  /** Both sides see that alike: one of them has taken out the secret of the held one, and both speak that of the fresh one. */
  #isProvedAnew(fresh: Link, held: Link): boolean {
    const [spoken] = this.#o.secret.ids;
    return fresh.provedWith === spoken && held.provedWith !== spoken;
  }

  #retire(link: Link): void {
    this.#retiring.add(link);
    this.#o.clock.setTimer(() => link.close(new RelaydError('CLOSED', 'another link stands in its place')), RETIRE_MS);
  }

  #tell(relay: string, isMember: boolean): void {
    for (const listener of this.#listeners) {
      try {
        listener(relay, isMember);
      } catch (error) {
        this.#o.log.error({ error: errorMessage(error) }, 'a listener to links failed');
      }
    }
  }
}
