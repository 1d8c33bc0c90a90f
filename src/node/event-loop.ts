import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import type { Part } from '../lib/lifecycle.ts';

/** How late the event loop runs, in milliseconds, over the last 5 to 10 s. */
export interface EventLoopDelay {
  p99Ms(): number;
  maxMs(): number;
}

type IntervalHistogram = ReturnType<typeof monitorEventLoopDelay>;

/** Half of the time that is looked back on. Two histograms begin this far apart; the older is read, and begins anew when it is twice as old. */
const WINDOW_MS = 5_000;
/** How often the loop is asked whether it is on time. */
const RESOLUTION_MS = 20;

const WINDOW_TICKS = WINDOW_MS / RESOLUTION_MS;
/** The lowest that a histogram takes: its minimum. */
const MIN_PERCENT = 0.001;

const QUANTILES = { p50: 50, p99: 99, max: 100 };

/** Measures how late the event loop runs. Nothing is late while it is stopped. */
export class EventLoopMonitor implements Part, EventLoopDelay {
  readonly name = 'event loop monitor';
  readonly #clock: Clock;
  #histograms: { older: IntervalHistogram; younger: IntervalHistogram } | undefined;
  #timer: TimerHandle | undefined;

  constructor(clock: Clock, registry: Registry) {
    this.#clock = clock;
    const read = (percent: number): number => this.#ms(percent) / 1_000;
    new Gauge({
      name: 'relayd_event_loop_delay_seconds',
      help: 'How late the event loop ran over the last 5 to 10 s',
      labelNames: ['quantile'],
      registers: [registry],
      collect() {
        for (const [quantile, percent] of Object.entries(QUANTILES)) this.set({ quantile }, read(percent));
      },
    });
  }

  p99Ms(): number {
    return this.#ms(QUANTILES.p99);
  }

  maxMs(): number {
    return this.#ms(QUANTILES.max);
  }

  start(): void {
    const [older, younger] = [monitorEventLoopDelay({ resolution: RESOLUTION_MS }), monitorEventLoopDelay({ resolution: RESOLUTION_MS })];
    older.enable();
    younger.enable();
    this.#histograms = { older, younger };
    this.#timer = this.#clock.setTimer(() => this.#turn(), WINDOW_MS);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#histograms?.older.disable();
    this.#histograms?.younger.disable();
    this.#histograms = undefined;
  }

  #turn(): void {
    if (this.#histograms !== undefined) {
      const { older, younger } = this.#histograms;
      older.reset();
      this.#histograms = { older: younger, younger: older };
      this.#timer = this.#clock.setTimer(() => this.#turn(), WINDOW_MS);
    }
  }

  /** A histogram holds the time between two ticks of its timer, in nanoseconds: that is its resolution when nothing is late. */
  #ms(percent: number): number {
    const histogram = this.#histograms?.older;
    if (histogram === undefined || histogram.count === 0) {
      return 0;
    }
    const nanoseconds = histogram.percentile(Math.max(MIN_PERCENT, percentOf(percent, histogram.count)));
    return Math.max(0, Math.round(nanoseconds / 1e4 - RESOLUTION_MS * 100) / 100);
  }
}

/**
 * What may be later than a percentile is a share of the ticks of a whole window, also while there have been fewer of them: of the first hundred after a
 * start the latest one would be the 99th percentile, and one pause for garbage collection a loop that is late all the time.
 */
function percentOf(percent: number, count: number): number {
  return 100 - (100 - percent) * Math.max(1, WINDOW_TICKS / count);
}
