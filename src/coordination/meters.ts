import type { ClusterLimit, Quota, QuotaClaim } from '../lib/cluster/relay-cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { isIn, quotaWindow } from './quota-window.ts';
import type { QuotaWindow } from './quota-window.ts';

/** What is known of one key's quota in one window. */
export interface Meter {
  readonly limit: ClusterLimit;
  readonly key: string;
  readonly window: QuotaWindow;
  quota: Quota;
  /** Bytes that this relay has counted. */
  own: number;
  /** Of those, what the cluster was told last; and what the whole cluster had then, that included. */
  told: number;
  total: number;
  /** When that was, by the monotonic clock. */
  totalAt: number;
  /** The store may have lost what it was told. */
  isLost: boolean;
  /** Whoever uses it has been told that it is used up. */
  isAnnounced: boolean;
}

/** Of peers, prefixes, realms and tokens together; some 20 MiB. */
const MAX_METERS = 65_536;

/** A part of a quota so small that losing it does little: the same as what may be used before the cluster is told. */
export const SMALL_PART = 128;

/** Those of windows that are over are looked for no oftener: it means looking at all. */
const SWEEP_EVERY_MS = 60_000;

/** So many are looked at to find one that can be forgotten. */
const LOOK_AT = 64;

/** The quotas that this relay has had to do with, in the window that is now; and what is left to be told of those before. */
export class Meters {
  readonly #clock: Clock;
  readonly #meters = new Map<string, Meter>();
  #over: Meter[] = [];
  #sweepAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  all(): Meter[] {
    return [...this.#meters.values()];
  }

  /** `undefined` when nothing is known of it in this window. */
  get({ key, quota }: QuotaClaim): Meter | undefined {
    const meter = this.#meters.get(key);
    if (meter === undefined || !this.#isCurrent(meter, quota)) return undefined;
    meter.quota = quota;
    return meter;
  }

  open(claim: QuotaClaim): Meter {
    const known = this.get(claim);
    if (known !== undefined) return known;
    const { limit, key, quota } = claim;
    this.#close(key);
    this.#makeRoom();
    const meter = { limit, key, quota, window: quotaWindow(quota.per, this.#clock.wall()), own: 0, told: 0, total: 0, totalAt: -Infinity, isLost: false, isAnnounced: false };
    this.#meters.set(key, meter);
    return meter;
  }

  /** Those of which the cluster does not know all, those of windows that are over among them. */
  untold(): Meter[] {
    this.#over = this.#over.filter(isUntold);
    return [...this.#over, ...this.#meters.values()].filter(isUntold);
  }

  /** The cluster may know nothing of them any more. */
  lost(): void {
    for (const meter of this.#meters.values()) meter.isLost = meter.told > 0;
  }

  #isCurrent({ window, quota }: Meter, { per }: Quota): boolean {
    return quota.per === per && isIn(window, this.#clock.wall());
  }

  /** Its window is over: what was not told of it still is. */
  #close(key: string): void {
    const meter = this.#meters.get(key);
    if (meter === undefined) return;
    this.#meters.delete(key);
    if (isUntold(meter) && this.#over.length < MAX_METERS) this.#over.push(meter);
  }

  /** Of many keys the least used is forgotten: whoever comes under ever new ones loses nothing but little of what they count. */
  #makeRoom(): void {
    if (this.#meters.size < MAX_METERS) return;
    this.#sweep();
    if (this.#meters.size < MAX_METERS) return;
    let least: Meter | undefined;
    let looked = 0;
    for (const meter of this.#meters.values()) {
      if (least === undefined || part(meter) < part(least)) least = meter;
      if (++looked === LOOK_AT || part(least) === 0) break;
    }
    if (least !== undefined) this.#meters.delete(least.key);
  }

  #sweep(): void {
    if (this.#clock.now() < this.#sweepAt) return;
    this.#sweepAt = this.#clock.now() + SWEEP_EVERY_MS;
    const wall = this.#clock.wall();
    const over = [...this.#meters.values()].filter(({ window }) => !isIn(window, wall));
    over.forEach(({ key }) => this.#close(key));
  }
}

function isUntold({ own, told, isLost }: Meter): boolean {
  return own > told || isLost;
}

function part({ own, quota }: Meter): number {
  return own / quota.bytes;
}
