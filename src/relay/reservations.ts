import type { PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { ClassLimits } from '../config/domain.ts';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import { Counts } from '../lib/counts.ts';
import { LIMIT_CLASSES } from './classes.ts';
import type { LimitClass } from './classes.ts';
import { Places } from './global/places.ts';
import type { PlacesChange } from './global/places.ts';
import type { Standing } from './membership.ts';
import { Refused } from './refusal.ts';

/** One peer's right to be reached through this relay, while it stays connected and until it expires. */
export interface Reservation {
  readonly peer: PeerId;
  readonly class: LimitClass;
  /** What it was granted by. */
  readonly standing: Standing;
  readonly addr: Multiaddr;
  readonly prefixes: readonly string[];
  readonly asn: string | undefined;
  /** Monotonic milliseconds: what is enforced. */
  readonly expiresAt: number;
  /** Unix seconds: what the peer was told. */
  readonly expireSeconds: number;
  readonly grantedAt: number;
  /** Unix milliseconds of the first grant. */
  readonly openedAt: number;
  readonly renewals: number;
  /** Over the cluster; they last as long as the reservation, however often it is renewed. */
  readonly places: Places | undefined;
}

export interface ReservationRequest {
  readonly peer: PeerId;
  readonly standing: Standing;
  readonly addr: Multiaddr;
  readonly prefixes: readonly string[];
  readonly asn: number | undefined;
}

/** Whether a renewal is counted as what it renews is. */
export function isCountedAlike(held: Reservation, { standing, prefixes, asn }: ReservationRequest): boolean {
  const isSamePlace = held.asn === asn?.toString() && held.prefixes.length === prefixes.length && held.prefixes.every((prefix, i) => prefix === prefixes[i]);
  return isSamePlace && held.class === standing.class && held.standing.grant?.tokenId === standing.grant?.tokenId;
}

interface Pool {
  count: number;
  readonly perPrefix: Counts;
  readonly perAsn: Counts;
}

/** What became of a reservation, for metrics. */
export interface ReservationEvents {
  opened(reservation: Reservation): void;
  renewed(reservation: Reservation): void;
  closed(reservation: Reservation): void;
}

/** Owns every reservation: admits, renews, expires and frees them, and counts them a pool each class. */
export class Reservations {
  readonly #clock: Clock;
  readonly #events: ReservationEvents;
  readonly #held = new Map<string, { reservation: Reservation; timer: TimerHandle }>();
  readonly #pools: Record<LimitClass, Pool>;

  constructor(clock: Clock, events: ReservationEvents) {
    this.#clock = clock;
    this.#events = events;
    const pools = LIMIT_CLASSES.map((name) => [name, { count: 0, perPrefix: new Counts(), perAsn: new Counts() }] as const);
    this.#pools = Object.fromEntries(pools) as Record<LimitClass, Pool>;
  }

  /** The reservation of `peer`, unless it has expired. */
  get(peer: PeerId): Reservation | undefined {
    const reservation = this.#held.get(peer.toString())?.reservation;
    return reservation !== undefined && reservation.expiresAt > this.#clock.now() ? reservation : undefined;
  }

  /**
   * Whether there is room. A renewal in the same class always has some, however full the pool is.
   *
   * @throws Refused when the pool, the prefix or the AS is full
   */
  check(request: ReservationRequest, limits: ClassLimits['reservations']): void {
    const existing = this.get(request.peer);
    if (existing === undefined) {
      // One that has expired, where the timer is late, is over and takes no place.
      this.release(request.peer);
    }
    if (existing?.class !== request.standing.class) {
      this.#check(request, limits);
    }
  }

  /**
   * Grants or renews.
   *
   * @param places what was taken over the cluster for it: the reservation's from now on
   * @throws Refused as {@link check}; nothing has changed then
   */
  grant(request: ReservationRequest, limits: ClassLimits['reservations'], places?: PlacesChange): Reservation {
    this.check(request, limits);
    const existing = this.get(request.peer);
    const reservation = this.#make(request, limits, existing, places);
    this.#remove(request.peer.toString());
    this.#insert(reservation);
    if (existing === undefined) this.#events.opened(reservation);
    else this.#events.renewed(reservation);
    return reservation;
  }

  /** Ends the reservation of `peer`, if it holds one. */
  release(peer: PeerId): void {
    const removed = this.#remove(peer.toString());
    if (removed !== undefined) {
      removed.places?.release();
      this.#events.closed(removed);
    }
  }

  /** Ends what has just been granted, when it could not be told to the peer. A renewal leaves what was there before it. */
  undo(reservation: Reservation): void {
    if (reservation.renewals === 0 && this.#held.get(reservation.peer.toString())?.reservation === reservation) {
      this.release(reservation.peer);
    }
  }

  clear(): void {
    [...this.#held.values()].forEach(({ reservation }) => this.release(reservation.peer));
  }

  count(limitClass: LimitClass): number {
    return this.#pools[limitClass].count;
  }

  all(): Reservation[] {
    return [...this.#held.values()].map(({ reservation }) => reservation);
  }

  #check(request: ReservationRequest, limits: ClassLimits['reservations']): void {
    const pool = this.#pools[request.standing.class];
    const inPrefix = pool.perPrefix.highest(request.prefixes);
    const inAsn = request.asn === undefined ? 0 : pool.perAsn.of(String(request.asn));
    if (pool.count >= limits.max) {
      throw new Refused('reservations.max', { current: pool.count, maximum: limits.max, retryAfterMs: this.#untilFirstExpiry() });
    }
    if (inPrefix >= limits.perPrefix) {
      throw new Refused('reservations.perPrefix', { current: inPrefix, maximum: limits.perPrefix });
    }
    if (inAsn >= limits.perAsn) {
      throw new Refused('reservations.perAsn', { current: inAsn, maximum: limits.perAsn });
    }
  }

  /** A full pool has room again at the latest when the oldest reservation ends, unless it is renewed: a hint, capped. */
  #untilFirstExpiry(): number {
    const first = this.#held.values().next();
    const left = first.done ? 0 : first.value.reservation.expiresAt - this.#clock.now();
    return Math.min(Math.max(left, 1000), 60_000);
  }

  #make(request: ReservationRequest, limits: ClassLimits['reservations'], existing: Reservation | undefined, change: PlacesChange | undefined): Reservation {
    const [now, wall] = [this.#clock.now(), this.#clock.wall()];
    // No longer than the token that it is granted by.
    const ttlMs = Math.min(limits.ttlMs, (request.standing.grant?.expiresAtWall ?? Infinity) - wall);
    return {
      peer: request.peer,
      class: request.standing.class,
      standing: request.standing,
      addr: request.addr,
      prefixes: request.prefixes,
      asn: request.asn === undefined ? undefined : String(request.asn),
      expiresAt: now + ttlMs,
      expireSeconds: Math.floor((wall + ttlMs) / 1000),
      grantedAt: now,
      openedAt: existing?.openedAt ?? wall,
      renewals: existing === undefined ? 0 : existing.renewals + 1,
      places: changed(existing?.places, change),
    };
  }

  #insert(reservation: Reservation): void {
    const timer = this.#clock.setCoarseTimer(() => this.release(reservation.peer), reservation.expiresAt - this.#clock.now());
    this.#held.set(reservation.peer.toString(), { reservation, timer });
    const pool = this.#pools[reservation.class];
    pool.count++;
    pool.perPrefix.add(...reservation.prefixes);
    if (reservation.asn !== undefined) pool.perAsn.add(reservation.asn);
  }

  #remove(key: string): Reservation | undefined {
    const entry = this.#held.get(key);
    if (entry === undefined) {
      return undefined;
    }
    entry.timer.cancel();
    this.#held.delete(key);
    const pool = this.#pools[entry.reservation.class];
    pool.count--;
    pool.perPrefix.remove(...entry.reservation.prefixes);
    if (entry.reservation.asn !== undefined) pool.perAsn.remove(entry.reservation.asn);
    return entry.reservation;
  }
}

function changed(places: Places | undefined, change: PlacesChange | undefined): Places | undefined {
  if (change === undefined) {
    return places;
  }
  const held = places ?? new Places();
  held.change(change);
  return held;
}
