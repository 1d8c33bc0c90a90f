import type { Registry } from 'prom-client';
import type { HoldClaim, RateClaim } from '../../lib/cluster/relay-cluster.ts';
import type { Clock } from '../../lib/clock.ts';
import { RelaydError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Counters, TakeVerdict } from '../backend.ts';
import { LINK_KINDS } from '../links.ts';
import type { Links } from '../links.ts';
import { decodeQuestion, encodeAnswer } from './codec.ts';
import { Desk } from './desk.ts';
import { Lender } from './lender.ts';
import { ShareMetrics } from './metrics.ts';
import { Pools } from './pools.ts';
import type { Share } from './share.ts';
import { keepAll, takeAll, takeAtOnce } from './taking.ts';
import { Views } from './views.ts';
import type { LiveView } from './views.ts';

/** What the status shows of shares. */
export interface SharesView {
  /** Places of `key` that this relay may hold without asking; `undefined` where it has none. */
  share(key: string): number | undefined;
  /** Places of `key` that are lent over the cluster; `undefined` where another relay counts them. */
  total(key: string): number | undefined;
}

export interface SharedCountersOptions {
  /** This relay's peer id. */
  readonly self: string;
  readonly links: Links;
  /** The relays that are alive, this one included, and how many are known. */
  readonly view: () => LiveView;
  readonly onViewChange: (listener: () => void) => () => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
}

const DONE = new Uint8Array();

/**
 * Counts over the cluster without a store: each key has an owner among the relays that are alive, who lends places and tokens to the others.
 * Specification and bounds: docs/reference/protocol-cluster.md.
 */
export class SharedCounters implements Counters, SharesView {
  readonly name = 'shares';
  readonly #o: SharedCountersOptions;
  readonly #views: Views;
  readonly #pools: Pools;
  readonly #lender: Lender;
  readonly #desk: Desk;
  readonly #metrics: ShareMetrics;
  #unsubscribe: (() => void)[] = [];

  constructor(options: SharedCountersOptions) {
    this.#o = options;
    this.#views = new Views(options.self, options.view, options.clock);
    this.#pools = new Pools((key) => this.#views.owners.of(key) ?? options.self);
    this.#lender = new Lender({ ...options, views: this.#views });
    this.#metrics = new ShareMetrics(options.registry, () => this.#pools.size);
    this.#desk = new Desk({ ...options, views: this.#views, pools: this.#pools, lender: this.#lender, metrics: this.#metrics });
  }

  start(): void {
    const { links, onViewChange } = this.#o;
    this.#views.update();
    this.#lender.start();
    this.#desk.start();
    this.#unsubscribe = [
      links.answer(LINK_KINDS.shares, (from, question) => this.#answer(from, question)),
      links.onChange((relay) => this.#linkChanged(relay)),
      onViewChange(() => this.#viewChanged()),
    ];
  }

  stop(): void {
    this.#unsubscribe.forEach((end) => end());
    this.#desk.stop();
    this.#lender.stop();
    this.#pools.clear();
  }

  async take(holds: readonly HoldClaim[], rates: readonly RateClaim[], signal: AbortSignal): Promise<TakeVerdict> {
    if (signal.aborted) throw new RelaydError('CLOSED', 'nobody waits for the answer', { cause: signal.reason });
    const [full] = holds.length > this.#pools.room ? holds : [];
    if (full !== undefined) return { ok: false, key: full.key, current: 0, maximum: full.maximum };
    const pools = [...holds.map((hold) => this.#pools.shareFor(hold)), ...rates.map((rate) => this.#pools.leaseFor(rate))];
    if (takeAtOnce(pools, this.#o.clock.now())) {
      this.#metrics.decided('share', pools.length);
    } else {
      const refused = await takeAll(pools, { mark: (pool) => this.#desk.mark(pool), returned: (pool) => this.#desk.returned(pool), nowMs: () => this.#o.clock.now() }, signal);
      if (refused !== undefined) return { key: refused.pool.key, ...refused.served };
    }
    keepAll(pools);
    return { ok: true };
  }

  give(keys: readonly string[]): void {
    for (const key of keys) {
      const share = this.#pools.share(key);
      if (share === undefined) continue;
      share.release(this.#o.clock.now());
      this.#desk.returned(share);
    }
  }

  add(keys: readonly string[]): void {
    for (const key of keys) {
      const share = this.#shareOf(key);
      share.takeAlone();
      share.keep();
      this.#desk.returned(share);
    }
  }

  async restate(held: ReadonlyMap<string, number>): Promise<void> {
    const now = this.#o.clock.now();
    for (const key of held.keys()) this.#shareOf(key);
    for (const share of this.#pools.shares()) {
      share.restate(held.get(share.key) ?? 0, now);
      this.#desk.returned(share);
    }
  }

  share(key: string): number | undefined {
    return this.#pools.share(key)?.granted;
  }

  total(key: string): number | undefined {
    return this.#views.owners.of(key) === this.#o.self ? this.#lender.total(key) : undefined;
  }

  #shareOf(key: string): Share {
    return this.#pools.share(key) ?? this.#pools.shareFor({ key, maximum: 0 });
  }

  #linkChanged(relay: string): void {
    this.#lender.linksChanged();
    this.#desk.linkChanged(relay);
  }

  #viewChanged(): void {
    if (!this.#views.update()) return;
    this.#desk.viewChanged();
    this.#lender.viewChanged();
  }

  #answer(from: string, bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const question = decodeQuestion(bytes);
    if (question.type === 'recall') {
      if (question.keys.length > 0) this.#desk.recalled(from, question.keys);
      else this.#desk.solicited(from);
      return DONE;
    }
    const answer = this.#lender.answer(from, question);
    return answer instanceof Promise ? answer.then(encodeAnswer) : encodeAnswer(answer);
  }
}
