import type { Clock } from '../../lib/clock.ts';

/** Other relays take and give meanwhile: what is older is not shown. */
const KEPT_MS = 5_000;

/** Far more than anybody looks at. */
const MAX_KEPT = 4_096;

/** How many places of a key the whole cluster held when this relay last heard it from the store, for people to see: nothing is decided by it. */
export class Totals {
  readonly #clock: Clock;
  /** The one that was heard of longest ago first. */
  readonly #kept = new Map<string, { total: number; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `undefined`: not known, or not of late. */
  of(key: string): number | undefined {
    const kept = this.#kept.get(key);
    return kept !== undefined && this.#clock.now() - kept.at <= KEPT_MS ? kept.total : undefined;
  }

  heard(key: string, total: number): void {
    this.#kept.delete(key);
    this.#kept.set(key, { total, at: this.#clock.now() });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** The store has carried out what this relay took or gave back. */
  moved(key: string, change: number): void {
    const kept = this.#kept.get(key);
    if (kept !== undefined) kept.total += change;
  }

  clear(): void {
    this.#kept.clear();
  }
}
