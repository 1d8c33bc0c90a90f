import type { Clock } from '../../lib/clock.ts';
import { sleep } from '../../lib/deadline.ts';
import type { Stamp } from './messages.ts';
import { Sessions } from './sessions.ts';
import type { Views } from './views.ts';

/** How long the relays have, after a change of who is alive, to say what they hold of the keys that have a new owner. */
const REPORTS_MS = 500;

/** A relay whose report does not come is asked for it so often. */
const SOLICIT_EVERY_MS = 1_000;

export interface ReportsOptions {
  readonly self: string;
  readonly views: Views;
  readonly clock: Clock;
  /** Relays that this one has a link to. */
  readonly linked: () => readonly string[];
  /** Asks a relay to report anew. */
  readonly solicit: (relay: string) => void;
  /** What `relay` was lent before `round` and has not named since is free. */
  readonly onSettled: (relay: string, round: number) => void;
}

/** Which relays have said what they hold, since this one saw who is alive now. */
export class Reports {
  readonly sessions = new Sessions();
  readonly #o: ReportsOptions;
  /** Relays that are alive and whose report for the newest view has not come. */
  #missing: string[] = [];
  /** Relays that are alive, by all accounts, but cannot be asked. */
  #unlinked: string[] = [];
  /** Relays that spoke before this one knew that they are alive. */
  readonly #turnedAway = new Set<string>();
  #next = Promise.withResolvers<void>();
  #stopped = new AbortController();

  constructor(options: ReportsOptions) {
    this.#o = options;
  }

  start(): void {
    this.#stopped = new AbortController();
  }

  stop(): void {
    this.#stopped.abort(new Error('the counters are stopped'));
    this.#missing = [];
    this.#unlinked = [];
    this.#turnedAway.clear();
    this.sessions.clear();
  }

  /** All are to report anew; those whose report came before their time are taken at their word. */
  viewChanged(): void {
    const { views, self, solicit } = this.#o;
    this.#missing = views.owners.relays.filter((relay) => relay !== self);
    this.#missing.forEach((relay) => this.#settle(relay));
    this.#missing.filter((relay) => this.#turnedAway.delete(relay)).forEach(solicit);
    this.linksChanged();
    void this.#solicitUntilNext(views.number);
  }

  /** A relay whose links are lost is cut off, and knows it sooner than the others miss it: it stops lending what they are about to take for free. */
  linksChanged(): void {
    const linked = new Set([...this.#o.linked(), this.#o.self]);
    this.#unlinked = this.#o.views.owners.relays.filter((relay) => !linked.has(relay));
  }

  turnAway(relay: string): void {
    this.#turnedAway.add(relay);
  }

  /** All of the report has come. */
  whole(relay: string, { view }: Stamp): void {
    this.sessions.reported(relay, view);
    this.#settle(relay);
  }

  /** Relays that may hold some of `key` of which this one does not know, or may be taking it without asking. */
  unsure(key: string): string[] {
    const unknown = this.#unknown(key);
    return this.#unlinked.length === 0 ? unknown : [...new Set([...unknown, ...this.#unlinked])];
  }

  #unknown(key: string): string[] {
    return this.#missing.filter((relay) => !this.#o.views.ownedSince(this.sessions.settledAt(relay), key));
  }

  /** Whether what is missing for `key` may still come. */
  isAwaited(key: string): boolean {
    return this.#leftMs() > 0 && this.#unknown(key).length > 0;
  }

  /** Until the reports that `keys` wait for are here, or their time is over. */
  async settled(keys: readonly string[]): Promise<void> {
    while (!this.#stopped.signal.aborted && keys.some((key) => this.isAwaited(key))) {
      const over = new AbortController();
      await Promise.race([this.#next.promise, sleep(this.#leftMs(), this.#o.clock, over.signal)]);
      over.abort();
    }
  }

  #leftMs(): number {
    return this.#o.views.changedAt + REPORTS_MS - this.#o.clock.now();
  }

  #settle(relay: string): void {
    const { owners, number } = this.#o.views;
    const round = this.sessions.settle(relay, owners.digest, number);
    if (round !== undefined) this.#o.onSettled(relay, round);
    if (this.sessions.settledAt(relay) !== number) return;
    this.#missing = this.#missing.filter((other) => other !== relay);
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }

  /** A relay that was not gone in its own eyes does not know that it is to report. */
  async #solicitUntilNext(viewNumber: number): Promise<void> {
    const { signal } = this.#stopped;
    const isDue = (): boolean => !signal.aborted && this.#o.views.number === viewNumber && this.#missing.length > 0;
    while (isDue()) {
      await sleep(SOLICIT_EVERY_MS, this.#o.clock, signal);
      if (isDue()) this.#missing.forEach(this.#o.solicit);
    }
  }
}
