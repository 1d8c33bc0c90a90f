import type { ClusterRefusal, QuotaClaim } from '../lib/cluster/relay-cluster.ts';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import { withDeadline } from '../lib/deadline.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { QuotaWatch } from './admission.ts';
import type { Registry } from './backend.ts';
import { Meters, SMALL_PART } from './meters.ts';
import type { Meter } from './meters.ts';

export interface UsageOptions {
  readonly registry: Pick<Registry, 'report' | 'problem'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What has been used is told this often: a quota of a day is overshot by what is moved in that time, or by what {@link SMALL_PART} says, whichever is less. */
const TELL_EVERY_MS = 1_000;

/** A quota that is filling fast is told at once, with what else has come together in this time. */
const GATHER_MS = 15;

/** In one message to the store. */
const MAX_TOLD_AT_ONCE = 512;

/** A total that is this old is asked for again before somebody is admitted by it. */
const FRESH_MS = TELL_EVERY_MS;

/** After a question that was not answered, who is admitted is not kept waiting by another one for so long. */
const ASK_AGAIN_MS = 1_000;

/** Telling waits for nobody. */
const DEADLINE_MS = 2_000;

/**
 * Bytes that count for quotas over the cluster. What this relay has counted is told as a sum, so that what was told twice or told late does no harm; while
 * the store is away, the last total and what was counted here since decide. Of a key that has used less than a {@link SMALL_PART}th of its quota here nothing is
 * told.
 */
export class Usage implements QuotaWatch {
  readonly #o: UsageOptions;
  readonly #meters: Meters;
  readonly #listeners = new Set<(key: string) => void>();
  #stopped = new AbortController();
  #timer: { handle: TimerHandle; at: number } | undefined;
  #telling: Promise<void> | undefined;
  /** By the monotonic clock. */
  #askAgainAt = -Infinity;

  constructor(options: UsageOptions) {
    this.#o = options;
    this.#meters = new Meters(options.clock);
  }

  start(): void {
    this.#stopped = new AbortController();
    this.#tellIn(TELL_EVERY_MS);
  }

  /** Tells what is left to be told, as far as the store takes it. */
  async stop(): Promise<void> {
    this.#timer?.handle.cancel();
    this.#timer = undefined;
    await this.tell();
    this.#stopped.abort(new Error('the relay is stopping'));
  }

  meters(): Meter[] {
    return this.#meters.all();
  }

  onUsedUp(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Bytes have been relayed that count for each of `claims`. */
  moved(claims: readonly QuotaClaim[], bytes: number): void {
    for (const claim of claims) {
      const meter = this.#meters.count(claim, bytes);
      if (meter.own - meter.told >= meter.quota.bytes / SMALL_PART) this.#tellIn(GATHER_MS);
      this.#judge(meter);
    }
  }

  refusal(claims: readonly QuotaClaim[]): ClusterRefusal | undefined {
    for (const claim of claims) {
      const meter = this.#meters.get(claim);
      if (meter !== undefined && isUsedUp(meter)) return { limit: claim.limit, current: usedOf(meter), maximum: claim.quota.bytes, retryAfterMs: meter.window.endsAt - this.#o.clock.wall() };
    }
    return undefined;
  }

  async look(claims: readonly QuotaClaim[], signal: AbortSignal): Promise<void> {
    const old = claims.map((claim) => this.#meters.ask(claim)).filter(({ totalAt }) => this.#o.clock.now() - totalAt >= FRESH_MS);
    if (old.length === 0 || this.#o.registry.problem !== undefined || this.#o.clock.now() < this.#askAgainAt) return;
    // Whoever waits to be admitted waits for no write: nothing new is told.
    await this.#report(old, ({ told }) => told, signal).catch(() => (this.#askAgainAt = this.#o.clock.now() + ASK_AGAIN_MS));
  }

  /** Tells all that was counted here in the windows that are now, whatever the cluster was told. Never throws. */
  async tellAgain(): Promise<void> {
    await this.#telling;
    this.#meters.lost();
    await this.tell();
  }

  /** Tells all that the cluster does not know. Never throws: what could not be told is told the next time. */
  async tell(): Promise<void> {
    this.#telling ??= this.#tell().finally(() => (this.#telling = undefined));
    await this.#telling;
  }

  async #tell(): Promise<void> {
    const untold = this.#meters.untold();
    try {
      for (let from = 0; from < untold.length; from += MAX_TOLD_AT_ONCE) {
        await this.#report(untold.slice(from, from + MAX_TOLD_AT_ONCE), ({ own }) => own, this.#stopped.signal);
      }
    } catch (error) {
      this.#o.log.debug({ error: errorMessage(error) }, 'the use of quotas could not be told: it is told later');
    }
  }

  /** @throws RelaydError STORE_UNAVAILABLE, TIMEOUT */
  async #report(meters: readonly Meter[], bytesOf: (meter: Meter) => number, signal: AbortSignal): Promise<void> {
    const usage = meters.map((meter) => ({ key: meter.key, window: meter.window.name, bytes: bytesOf(meter) }));
    const totals = await withDeadline(DEADLINE_MS, this.#o.clock, [signal, this.#stopped.signal], (limit) => this.#o.registry.report(usage, limit));
    const totalAt = this.#o.clock.now();
    meters.forEach((meter, i) => {
      const told = usage[i]?.bytes ?? 0;
      // Answers may overtake each other.
      if (told < meter.told) return;
      Object.assign(meter, { told, isLost: false, total: Math.max(totals[i] ?? 0, told), totalAt });
      this.#judge(meter);
    });
  }

  #judge(meter: Meter): void {
    if (meter.isAnnounced || !isUsedUp(meter)) return;
    meter.isAnnounced = true;
    this.#listeners.forEach((listener) => {
      try {
        listener(meter.key);
      } catch (error) {
        this.#o.log.error({ error: errorMessage(error) }, 'a quota that is used up was not acted on');
      }
    });
  }

  /** Sooner than it would be otherwise, never later. */
  #tellIn(ms: number): void {
    const at = this.#o.clock.now() + ms;
    if (this.#timer === undefined ? this.#stopped.signal.aborted : this.#timer.at <= at) return;
    this.#timer?.handle.cancel();
    this.#timer = { at, handle: this.#o.clock.setTimer(() => void this.#tellNow(), ms) };
  }

  async #tellNow(): Promise<void> {
    this.#timer = undefined;
    await this.tell();
    this.#tellIn(TELL_EVERY_MS);
  }
}

/** By all that is known: what others had counted when this relay last heard, and what was counted here since. */
function usedOf({ total, told, own }: Meter): number {
  return total - told + own;
}

function isUsedUp(meter: Meter): boolean {
  return usedOf(meter) >= meter.quota.bytes;
}
