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

/** Of peers, prefixes, realms and tokens together, in each of the two pools of what is counted here; some 20 MiB each. */
const MAX_METERS = 65_536;

/** Keys that are only asked for. A stranger may name ever new ones: they have a pool of their own, and push out nothing that is counted. */
const MAX_ASKED = 8_192;

/** Counts of keys that have left the pool of the large ones; some 13 MiB. */
const MAX_BASES = 131_072;

/**
 * A part of a quota so small that losing it does little: the same as what may be used before the cluster is told. Of a key that has not used so much
 * here the cluster is told nothing: whoever comes under ever new names, with a byte each, costs no other relay anything.
 */
export const SMALL_PART = 128;

/** Those of windows that are over are looked for no oftener: it means looking at all. */
const SWEEP_EVERY_MS = 60_000;

/** So many are looked at to find one that can be forgotten. */
const LOOK_AT = 64;

type Pool = Map<string, Meter>;

/** What is kept of a key whose meter had to go. */
interface Base extends Pick<Meter, 'own' | 'told' | 'total'> {
  /** Name of the window. */
  readonly window: string;
}

/** The quotas that this relay has had to do with, in the window that is now; and what is left to be told of those before. */
export class Meters {
  readonly #clock: Clock;
  /** Nothing was counted here. */
  readonly #asked: Pool = new Map();
  /** Too little for the cluster to be told. */
  readonly #small: Pool = new Map();
  readonly #large: Pool = new Map();
  readonly #bases = new Map<string, Base>();
  /** Of windows that are over, or without room: they are told, then forgotten. */
  #over: Meter[] = [];
  #sweepAt = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  all(): Meter[] {
    return [...this.#large.values(), ...this.#small.values(), ...this.#asked.values()];
  }

  /** `undefined` when nothing is known of it in this window. */
  get({ key, quota }: QuotaClaim): Meter | undefined {
    const meter = this.#large.get(key) ?? this.#small.get(key) ?? this.#asked.get(key);
    if (meter === undefined || !this.#isCurrent(meter, quota)) return undefined;
    meter.quota = quota;
    return meter;
  }

  /** To ask for the cluster's total. Where nothing is counted of the key here, it is kept for as long as few others are asked for. */
  ask(claim: QuotaClaim): Meter {
    const meter = this.get(claim) ?? this.#make(claim);
    this.#keep(meter);
    return meter;
  }

  count(claim: QuotaClaim, bytes: number): Meter {
    const meter = this.get(claim) ?? this.#make(claim);
    meter.own += bytes;
    this.#keep(meter);
    return meter;
  }

  /** Those of which the cluster does not know all that it is told, those of windows that are over among them. */
  untold(): Meter[] {
    this.#over = this.#over.filter(isUntold);
    return [...this.#over, ...this.#large.values()].filter(isUntold);
  }

  /** The cluster may know nothing of them any more. */
  lost(): void {
    for (const meter of this.#large.values()) meter.isLost = meter.told > 0;
  }

  #isCurrent({ window, quota }: Meter, { per }: Quota): boolean {
    return quota.per === per && isIn(window, this.#clock.wall());
  }

  #make({ limit, key, quota }: QuotaClaim): Meter {
    this.#close(key);
    const window = quotaWindow(quota.per, this.#clock.wall());
    const base = this.#bases.get(key);
    this.#bases.delete(key);
    const { own, told, total } = base?.window === window.name ? base : { own: 0, told: 0, total: 0 };
    return { limit, key, quota, window, own, told, total, totalAt: -Infinity, isLost: false, isAnnounced: false };
  }

  /** In the pool where it belongs by now. */
  #keep(meter: Meter): void {
    const { key } = meter;
    const pool = this.#poolOf(meter);
    if (pool.get(key) === meter) return;
    [this.#asked, this.#small].forEach((other) => other.delete(key));
    this.#makeRoom(pool);
    pool.set(key, meter);
  }

  #poolOf(meter: Meter): Pool {
    if (this.#large.get(meter.key) === meter || isLarge(meter)) return this.#large;
    return meter.own > 0 ? this.#small : this.#asked;
  }

  /** Its window is over: what was not told of it still is. */
  #close(key: string): void {
    this.#tellLater(this.#large.get(key));
    [this.#large, this.#small, this.#asked].forEach((pool) => pool.delete(key));
  }

  #tellLater(large: Meter | undefined): void {
    if (large !== undefined && isUntold(large) && this.#over.length < MAX_METERS) this.#over.push(large);
  }

  /** Of what was only asked for the oldest goes; else the least used, whose count is kept when it is more than little. */
  #makeRoom(pool: Pool): void {
    const max = pool === this.#asked ? MAX_ASKED : MAX_METERS;
    if (pool.size >= max) this.#sweep();
    if (pool.size < max) return;
    const least = leastOf(pool);
    if (least === undefined) return;
    pool.delete(least.key);
    if (pool === this.#large) this.#keepBase(least);
  }

  #keepBase(meter: Meter): void {
    this.#tellLater(meter);
    const { key, window, own, told, total } = meter;
    const oldest = this.#bases.size < MAX_BASES ? undefined : this.#bases.keys().next().value;
    if (oldest !== undefined) this.#bases.delete(oldest);
    this.#bases.set(key, { window: window.name, own, told, total });
  }

  #sweep(): void {
    if (this.#clock.now() < this.#sweepAt) return;
    this.#sweepAt = this.#clock.now() + SWEEP_EVERY_MS;
    const wall = this.#clock.wall();
    const over = this.all().filter(({ window }) => !isIn(window, wall));
    over.forEach(({ key }) => this.#close(key));
  }
}

function isUntold(meter: Meter): boolean {
  return meter.own > meter.told || meter.isLost;
}

function isLarge({ own, told, quota }: Meter): boolean {
  return told > 0 || own >= quota.bytes / SMALL_PART;
}

/** The least used among the oldest. */
function leastOf(pool: Pool): Meter | undefined {
  let least: Meter | undefined;
  let looked = 0;
  for (const meter of pool.values()) {
    if (least === undefined || part(meter) < part(least)) least = meter;
    if (++looked === LOOK_AT || meter.own === 0) break;
  }
  return least;
}

function part({ own, quota }: Meter): number {
  return own / quota.bytes;
}
