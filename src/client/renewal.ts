import type { Clock, TimerHandle } from '../lib/clock.ts';
import { RelaydError } from '../lib/errors.ts';
import { backoffMs } from './backoff.ts';
import type { Reservation } from './reservation.ts';
import { retryAfterMs } from './retry-after.ts';

/**
 * Renew by then however long the TTL: a client whose clock is behind its relay's believes a TTL to be longer than it
 * is, by as much.
 */
const MAX_RENEWAL_DELAY_MS = 30 * 60_000;

export interface RenewalOptions {
  clock: Clock;
  random: () => number;
  reserve: (signal: AbortSignal) => Promise<Reservation>;
  onRenewed: (reservation: Reservation) => void;
  /** A renewal failed; the reservation is still good, and it is tried again. */
  onFailed: (error: unknown) => void;
  onExpired: () => void;
}

/**
 * Keeps one reservation alive: renews at half its TTL, give or take a tenth, tries a failed renewal again until the
 * expiry, and tells of the expiry. Timed by the monotonic clock.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  #reservation: Reservation;
  #renewTimer: TimerHandle | undefined;
  #expiryTimer: TimerHandle | undefined;
  #running = new AbortController();
  #failures = 0;
  #asking = false;
  #again = false;
  #dueAt = 0;

  constructor(reservation: Reservation, options: RenewalOptions) {
    this.#reservation = reservation;
    this.#options = options;
    this.#arm();
  }

  /** When the next renewal is due, on the monotonic clock. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** What is shown to the relay has changed: it is asked at once, after the renewal that is under way. */
  renewNow(): void {
    this.#again = this.#asking;
    if (!this.#asking) {
      this.#renewTimer?.cancel();
      this.#schedule(0);
    }
  }

  stop(): void {
    this.#running.abort(new RelaydError('CLOSED', 'the reservation is not renewed any more'));
    this.#renewTimer?.cancel();
    this.#expiryTimer?.cancel();
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#expiryTimer?.cancel();
    this.#expiryTimer = clock.setTimer(() => this.#onExpiry(), this.#reservation.expiresAt - clock.now());
    this.#schedule(renewalDelayMs(this.#reservation.ttlMs, this.#options.random));
  }

  #schedule(delayMs: number): void {
    this.#dueAt = this.#options.clock.now() + delayMs;
    this.#renewTimer = this.#options.clock.setTimer(() => void this.#renew(), delayMs);
  }

  async #renew(): Promise<void> {
    this.#asking = true;
    await this.#ask();
    this.#asking = false;
    if (this.#again && !this.#running.signal.aborted) this.renewNow();
  }

  async #ask(): Promise<void> {
    const { signal } = this.#running;
    try {
      const reservation = await this.#options.reserve(signal);
      if (signal.aborted) return;
      this.#failures = 0;
      this.#reservation = reservation;
      this.#arm();
      this.#options.onRenewed(reservation);
    } catch (error) {
      if (!signal.aborted) this.#onFailure(error);
    }
  }

  #onFailure(error: unknown): void {
    this.#failures += 1;
    const wait = backoffMs(this.#failures, this.#options.random, retryAfterMs(error));
    this.#schedule(wait);
    this.#options.onFailed(error);
  }

  #onExpiry(): void {
    this.stop();
    this.#options.onExpired();
  }
}

/** Half the TTL, give or take a tenth of that. */
export function renewalDelayMs(ttlMs: number, random: () => number): number {
  return Math.min(ttlMs / 2, MAX_RENEWAL_DELAY_MS) * (0.9 + 0.2 * random());
}
