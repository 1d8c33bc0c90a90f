import type { Sample } from '../lib/contracts.ts';

/** What a plot draws at one moment. */
export interface Point {
  /** Unix milliseconds; always later than that of the point before. */
  readonly time: number;
  readonly values: Readonly<Partial<Record<SeriesName, number | null>>>;
  /** How many were refused since the point before, by limit; none where it is left out. */
  readonly refusals: Readonly<Record<string, number>>;
}

/** The totals of a sample become rates; its gauges stay. */
const RATES = {
  relayedBytes: 'relayedBytesPerSecond',
  tunnelSentBytes: 'tunnelSentBytesPerSecond',
  tunnelReceivedBytes: 'tunnelReceivedBytesPerSecond',
} as const satisfies Record<keyof Sample['totals'], string>;

export type SeriesName = keyof Sample['gauges'] | (typeof RATES)[keyof typeof RATES];

/** Looked at every 2 s for half an hour, and in steps of 30 s for a day: some 3,800 points, 1.2 MiB when all are there. */
const FINE = { stepMs: 2_000, keep: 900 };
const COARSE = { stepMs: 30_000, keep: 2_880 };

export const SAMPLE_STEP_MS = FINE.stepMs;

export const RANGES = { '30m': FINE, '24h': COARSE } as const;
export type Range = keyof typeof RANGES;

/** The points of a range, one array for each series; `null` where a point has no value. */
export interface Columns {
  readonly stepSeconds: number;
  /** Unix seconds. */
  readonly times: number[];
  readonly values: Record<string, (number | null)[]>;
  readonly refusals: Record<string, number[]>;
}

/** What the node has been doing for the last day, in bounded memory. */
export class History {
  readonly #fine: Point[] = [];
  readonly #coarse: Point[] = [];
  /** Points of the step of the coarse range that is not over yet. */
  #open: Point[] = [];
  #last: { sample: Sample; at: number; time: number } | undefined;

  /**
   * @param at monotonic milliseconds: rates are by it
   * @param wall Unix milliseconds, which may jump
   */
  add(sample: Sample, at: number, wall: number): Point {
    const last = this.#last;
    const time = Math.max(wall, (last?.time ?? 0) + 1);
    const point = pointOf(sample, last?.sample, { time, seconds: (at - (last?.at ?? at)) / 1000 });
    this.#last = { sample, at, time };
    append(this.#fine, point, FINE.keep);
    this.#open.push(point);
    if (this.#open.length >= COARSE.stepMs / FINE.stepMs) {
      append(this.#coarse, summary(this.#open), COARSE.keep);
      this.#open = [];
    }
    return point;
  }

  columns(range: Range): Columns {
    const points = range === '30m' ? this.#fine : [...this.#coarse, ...(this.#open.length === 0 ? [] : [summary(this.#open)])];
    return {
      stepSeconds: RANGES[range].stepMs / 1000,
      times: points.map(({ time }) => time / 1000),
      values: Object.fromEntries(namesIn(points, 'values').map((name) => [name, points.map(({ values }) => values[name as SeriesName] ?? null)])),
      refusals: Object.fromEntries(namesIn(points, 'refusals').map((limit) => [limit, points.map(({ refusals }) => refusals[limit] ?? 0)])),
    };
  }
}

function append(points: Point[], point: Point, keep: number): void {
  points.push(point);
  if (points.length > keep) points.shift();
}

function namesIn(points: readonly Point[], part: 'values' | 'refusals'): string[] {
  return [...new Set(points.flatMap((point) => Object.keys(point[part])))];
}

/** Of the first look there is no rate, but the series is there: a plot that comes later would move the others. */
function pointOf(sample: Sample, before: Sample | undefined, { time, seconds }: { time: number; seconds: number }): Point {
  const rates = Object.entries(sample.totals).map(([total, now]) => {
    const then = before?.totals[total as keyof typeof RATES];
    return [RATES[total as keyof typeof RATES], then === undefined || seconds <= 0 ? null : Math.round(Math.max(0, now - then) / seconds)] as const;
  });
  const grown = before === undefined ? [] : Object.entries(sample.refusals).map(([limit, count]) => [limit, count - (before.refusals[limit] ?? 0)] as const);
  const refusals = grown.filter(([, count]) => count > 0);
  return { time, values: { ...sample.gauges, ...Object.fromEntries(rates) }, refusals: Object.fromEntries(refusals) };
}

/** Rates are averaged, of delays the worst is kept, refusals are added up; everything else is as it was at the end. */
function summary(points: readonly Point[]): Point {
  const last = points.at(-1) ?? { time: 0, values: {}, refusals: {} };
  const values = Object.fromEntries(namesIn(points, 'values').map((name) => [name, combined(name, points.flatMap((point) => point.values[name as SeriesName] ?? []))]));
  const refusals = Object.fromEntries(namesIn(points, 'refusals').map((limit) => [limit, points.reduce((sum, point) => sum + (point.refusals[limit] ?? 0), 0)]));
  return { time: last.time, values, refusals };
}

function combined(name: string, values: readonly number[]): number | null {
  if (values.length === 0) return null;
  if (name.endsWith('PerSecond')) return Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
  return name.startsWith('delay') ? Math.max(...values) : (values.at(-1) ?? null);
}
