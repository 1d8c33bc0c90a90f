import type { Part } from '../lib/lifecycle.ts';
import type { HoldClaim, RateClaim } from '../lib/cluster/relay-cluster.ts';

/**
 * What every coordination backend does, whatever it is made of. Each relay is the only writer of what it says about itself: its record,
 * its reservations, its use of quotas; all of it belongs to one epoch of that relay (one run of it), and goes with its lease. The conformance
 * suite in test/conformance/coordination holds for every backend.
 */

/** A relay says that it is alive this often. */
export const BEAT_EVERY_MS = 1_000;

/**
 * A relay that has not said so for this long is gone: three beats may be lost or late. Measured by whoever holds the lease (the store, or each
 * relay by its own monotonic clock), never by comparing wall clocks.
 */
export const LEASE_MS = 4_000;

export interface Registry extends Part {
  /** Why it cannot be relied on now; `undefined` while it answers. */
  readonly problem: string | undefined;
  /**
   * Says that this relay is alive, with its newest sealed record, for {@link LEASE_MS}. The first call of a run also ends what an earlier epoch of
   * this relay left: its reservations and counts.
   *
   * @throws RelaydError STORE_UNAVAILABLE; FENCED when a newer epoch of this relay is alive
   */
  beat(record: Uint8Array): Promise<void>;
  /** Says that this relay goes: others hear `left` at once. Never throws. */
  leave(): Promise<void>;
  /**
   * What has changed in this relay's reservations, in order.
   *
   * @throws RelaydError STORE_UNAVAILABLE; some of it may have been told then
   */
  publish(changes: readonly ReservationChange[]): Promise<void>;
  /** This relay's reservations are exactly these: told after `stale`. @throws RelaydError STORE_UNAVAILABLE */
  publishAll(held: readonly ReservationChange[]): Promise<void>;
  /** The relays, this one too, that hold a reservation of `peer`'s and are alive; the one that got it last first. @throws RelaydError STORE_UNAVAILABLE, CLOSED */
  holders(peer: string, signal: AbortSignal): Promise<string[]>;
  /**
   * Tells how many bytes this epoch of this relay has counted for each key in a window, all in all, and answers what the whole cluster has counted for
   * it (all epochs of all relays, this one included). Usage outlives leases and restarts, until its window is over for a day. What is not above what this epoch
   * has told already, 0 bytes of a new key among it, only asks: nothing is written.
   *
   * @throws RelaydError STORE_UNAVAILABLE
   */
  report(usage: readonly Usage[], signal: AbortSignal): Promise<number[]>;
  /** Passes a realm's signed revocation list on. The newest is kept for relays that come later. @throws RelaydError STORE_UNAVAILABLE */
  tellRevocations(list: SharedRevocations): Promise<void>;
}

/** Counts over the whole cluster. */
export interface Counters extends Part {
  /**
   * Takes one place of each hold and one token of each rate, or nothing.
   *
   * @throws RelaydError STORE_UNAVAILABLE, CLOSED when `signal` aborts: whether something was taken is not known then, and what was is given back by itself
   */
  take(holds: readonly HoldClaim[], rates: readonly RateClaim[], signal: AbortSignal): Promise<TakeVerdict>;
  /** Gives places back, each once for every time that it stands in `keys`. Never throws: what is lost on the way is set right by `restate`. */
  give(keys: readonly string[]): void;
  /** Counts places that this relay has taken without asking, each once for every time that it stands in `keys`. Never throws, as {@link give}. */
  add(keys: readonly string[]): void;
  /** How many places of each key this relay really holds: after the store was away, and from time to time. What it does not name is 0. @throws RelaydError STORE_UNAVAILABLE */
  restate(held: ReadonlyMap<string, number>): Promise<void>;
}

export type TakeVerdict = { readonly ok: true } | { readonly ok: false; readonly key: string; readonly current: number; readonly maximum: number; readonly retryAfterMs?: number };

export interface ReservationChange {
  readonly peer: string;
  /** `undefined`: it is held no more. */
  readonly ttlMs: number | undefined;
}

export interface Usage {
  readonly key: string;
  /** `2026-11-21` or `2026-11`. */
  readonly window: string;
  readonly bytes: number;
}

export interface SharedRevocations {
  /** The realm's public key, as hex: lists of different authorities do not replace each other. */
  readonly authority: string;
  readonly sequence: number;
  readonly list: Uint8Array;
}

/** What a backend tells. Called in any order, as it learns; never for this relay's own doings. */
export interface BackendListener {
  /** A relay's sealed record, new or changed; also all that are known, after `start`. */
  relay(peer: string, record: Uint8Array): void;
  gone(peer: string, why: 'left' | 'lapsed'): void;
  revocations(list: SharedRevocations): void;
  /** `problem` has changed. */
  health(problem: string | undefined): void;
  /** The store may have lost what this relay told it: all of it is to be told again. */
  stale(): void;
  /** Another process runs with this identity and a newer epoch: this one is to let go of everything. */
  fenced(): void;
}
