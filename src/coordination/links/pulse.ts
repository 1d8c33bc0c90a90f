import type { Clock, TimerHandle } from '../../lib/clock.ts';
import type { ClockSkew } from '../links.ts';
import { ClockComparison } from './clock-comparison.ts';

/** How often each side asks whether the other is there: with the beat of the registry. */
const PING_EVERY_MS = 1_000;

/** A link that brought nothing for so long is dead: two pings were lost or late, and the third is due. */
const SILENT_MS = 3_000;

/** What one sample adds to the smoothed round trip: as TCP has it (RFC 6298). */
const RTT_GAIN = 1 / 8;

export interface PulseOptions {
  readonly clock: Clock;
  readonly sendPing: (id: number) => void;
  readonly onSilent: () => void;
}

/** Keeps asking over a link whether the other side lives, and measures how far it is, and its clock. */
export class Pulse {
  readonly #o: PulseOptions;
  readonly #clocks = new ClockComparison();
  #heardAt: number;
  #pingedAt = -Infinity;
  #dueAt = 0;
  #lastId = 0;
  #rttMs: number | undefined;
  #timer: TimerHandle | undefined;

  constructor(options: PulseOptions) {
    this.#o = options;
    this.#heardAt = options.clock.now();
  }

  /** Smoothed, in milliseconds; `undefined` before the first answer. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** `undefined` as long as the other side has not said its time. */
  get skew(): ClockSkew | undefined {
    return this.#clocks.skew;
  }

  start(): void {
    this.#dueAt = this.#o.clock.now();
    this.#beat();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Something came. */
  heard(): void {
    this.#heardAt = this.#o.clock.now();
  }

  /**
   * Only the answer to the newest ping is a measure.
   *
   * @param wallMs the time that the other side has said
   */
  ponged(id: number, wallMs: number | undefined): void {
    if (id !== this.#lastId) {
      return;
    }
    const { clock } = this.#o;
    // Read first: what passes until the other clock is read makes the round trip longer, and the bound stays true.
    const ownWallMs = clock.wall();
    const sampleMs = clock.now() - this.#pingedAt;
    if (wallMs !== undefined) this.#clocks.answered(wallMs, ownWallMs, sampleMs);
    this.#rttMs = this.#rttMs === undefined ? sampleMs : this.#rttMs + RTT_GAIN * (sampleMs - this.#rttMs);
  }

  #beat(): void {
    const now = this.#o.clock.now();
    if (now - this.#dueAt >= PING_EVERY_MS) {
      // It is this process that stood still: what the other side sent meanwhile has not been read yet.
      this.#heardAt = Math.max(this.#heardAt, now - SILENT_MS + PING_EVERY_MS);
    }
    const leftMs = this.#heardAt + SILENT_MS - now;
    if (leftMs <= 0) {
      this.#o.onSilent();
      return;
    }
    if (now - this.#pingedAt >= PING_EVERY_MS) {
      this.#pingedAt = now;
      this.#o.sendPing(++this.#lastId);
    }
    this.#dueAt = Math.min(now + leftMs, this.#pingedAt + PING_EVERY_MS);
    this.#timer = this.#o.clock.setTimer(() => this.#beat(), this.#dueAt - now);
  }
}
