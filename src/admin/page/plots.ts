import type { Columns, Range } from '../history.ts';
import type { Tick } from '../sampling.ts';
import { get } from './api.ts';
import { choice, make } from './elements.ts';
import { bytes, bytesPerSecond, milliseconds, number } from './format.ts';
import { Plot } from './plot.ts';
import type { PlotData, PlotSpec, Series } from './plot.ts';
import { Track } from './track.ts';

const SPANS = [['5m', '5 min'], ['30m', '30 min'], ['24h', '24 h']] as const;
type Span = (typeof SPANS)[number][0];

/** What is shown, where it is read, and how often anew where steps are not added one by one. */
const SPAN: Record<Span, { seconds: number; range: Range; rereadMs?: number }> = {
  '5m': { seconds: 300, range: '30m' },
  '30m': { seconds: 1_800, range: '30m' },
  '24h': { seconds: 86_400, range: '24h', rereadMs: 30_000 },
};

const BYTE_STEPS = Array.from({ length: 50 }, (_step, power) => 2 ** power);
const COUNT_STEPS = [1, 2, 5].flatMap((step) => Array.from({ length: 9 }, (_step, power) => step * 10 ** power)).sort((a, b) => a - b);

interface NamedSeries extends Series {
  readonly name: string;
}

const COUNTS = { say: number, atLeast: 4, steps: COUNT_STEPS };
const line = (name: string, label: string, colour: number, fill = false): NamedSeries => ({ name, label, colour, fill });

/** Which plots there are; one is shown when the node has any of its series. */
const PLOTS: (PlotSpec & { series: NamedSeries[] })[] = [
  { title: 'Reservations', ...COUNTS, series: [line('publicReservations', 'public', 1, true), line('memberReservations', 'members', 2)] },
  { title: 'Circuits', ...COUNTS, series: [line('publicCircuits', 'public', 1, true), line('memberCircuits', 'members', 2)] },
  { title: 'Throughput', say: bytesPerSecond, atLeast: 1024, steps: BYTE_STEPS, series: [line('relayedBytesPerSecond', 'relayed', 1, true)] },
  { title: 'Relays held', ...COUNTS, series: [line('heldReservations', 'reservations', 1, true)] },
  { title: 'Tunnelled connections', ...COUNTS, series: [line('openTunnels', 'open', 1, true)] },
  { title: 'Tunnel throughput', say: bytesPerSecond, atLeast: 1024, steps: BYTE_STEPS, series: [line('tunnelSentBytesPerSecond', 'sent', 1), line('tunnelReceivedBytesPerSecond', 'received', 2)] },
  { title: 'Event-loop delay', say: milliseconds, atLeast: 10, series: [line('delayMaxMs', 'worst', 3), line('delayP99Ms', 'p99', 1, true)] },
  { title: 'Memory', say: bytes, atLeast: 2 ** 27, steps: BYTE_STEPS, series: [line('rssBytes', 'resident', 1, true), line('heapBytes', 'JavaScript heap', 2)] },
];

/** Refusals are shown as a rate over this time: single ones stay visible, and the unit is the same in every span. */
const REFUSAL_WINDOW_SECONDS = 30;
/** More lines nobody can tell apart: the rest is one line together. */
const MAX_LIMITS = 5;

/** The plots, for a span of time that the reader chooses. */
export class Plots {
  readonly #host: HTMLElement;
  readonly #onRead: () => void;
  readonly #plots = new Map<string, Plot>();
  readonly #grid = make('div', { class: 'grid' });
  /** Limits in the order in which they first refused something: each keeps its colour. */
  readonly #limits: string[] = [];
  #span: Span = '5m';
  #track: Track | undefined;
  #reading: AbortController | undefined;
  #readAt = 0;

  /** @param onRead called when the history has been read, at first and anew, or could not be */
  constructor(host: HTMLElement, onRead: () => void) {
    this.#host = host;
    this.#onRead = onRead;
    const spans = choice('Time shown', SPANS, this.#span, (span) => {
      this.#span = span;
      void this.#read();
    });
    this.#host.append(make('div', { class: 'bar' }, make('h2', {}, 'Over time'), spans), this.#grid);
  }

  add(tick: Tick): void {
    const { rereadMs } = SPAN[this.#span];
    const follows = rereadMs === undefined ? this.#track?.add(tick) === true : Date.now() - this.#readAt < rereadMs;
    if (follows) this.#draw();
    else void this.#read();
  }

  /** Refused in the last five minutes; `undefined` until the history is there. */
  get refusedLately(): number | undefined {
    return this.#track?.refusedIn(SPAN['5m'].seconds);
  }

  redraw(): void {
    for (const plot of this.#plots.values()) plot.redraw();
  }

  async #read(): Promise<void> {
    this.#reading?.abort();
    const reading = (this.#reading = new AbortController());
    const { range } = SPAN[this.#span];
    try {
      const columns = await get<Columns>(`history?range=${range}`, reading.signal);
      this.#track = new Track(columns, SPAN[range].seconds);
      this.#readAt = Date.now();
      this.#draw();
    } catch {
      // Whatever it was, the next step finds that the plots do not follow and reads again.
    }
    this.#onRead();
  }

  #draw(): void {
    const track = this.#track;
    if (track === undefined || track.times.length === 0) return;
    const toSeconds = track.times.at(-1) ?? 0;
    const fromSeconds = toSeconds - SPAN[this.#span].seconds;
    const first = Math.max(0, track.times.findIndex((time) => time >= fromSeconds));
    const window = { fromSeconds, toSeconds, times: track.times.slice(first) };
    for (const { series, ...spec } of PLOTS) {
      const present = series.filter(({ name }) => track.values[name] !== undefined);
      if (present.length > 0) this.#show(spec, { ...window, series: present, columns: [window.times, ...present.map(({ name }) => (track.values[name] ?? []).slice(first))] });
      if (spec.title === 'Throughput' && present.length > 0) this.#show(REFUSALS, { ...window, ...this.#refusals(track, first), columns: [window.times, ...this.#refusals(track, first).columns] });
    }
  }

  #refusals(track: Track, first: number): Pick<PlotData, 'series' | 'columns'> {
    const inSight = (counts: readonly number[]): number => counts.slice(first).reduce((a, b) => a + b, 0);
    const found = Object.entries(track.refusals).filter(([, counts]) => inSight(counts) > 0).sort(([, a], [, b]) => inSight(b) - inSight(a));
    for (const [limit] of found) if (!this.#limits.includes(limit)) this.#limits.push(limit);
    const [shown, rest] = [found.slice(0, MAX_LIMITS), found.slice(MAX_LIMITS)];
    const lines = shown.map(([limit, counts]) => ({ label: limit, colour: 1 + (this.#limits.indexOf(limit) % MAX_LIMITS), counts: [counts] }));
    const all = rest.length === 0 ? lines : [...lines, { label: 'others', colour: 6, counts: rest.map(([, counts]) => counts) }];
    const none = { label: 'none', colour: 6, counts: [] };
    const drawn = all.length === 0 ? [none] : all;
    return { series: drawn.map(({ label, colour }) => ({ label, colour })), columns: drawn.map(({ counts }) => perMinute(counts, track).slice(first)) };
  }

  #show(spec: PlotSpec, data: PlotData): void {
    let plot = this.#plots.get(spec.title);
    if (plot === undefined) {
      plot = new Plot(spec);
      this.#plots.set(spec.title, plot);
      this.#grid.append(plot.element);
    }
    plot.show(data);
  }
}

const REFUSALS: PlotSpec = { title: 'Refused, by limit', say: (value) => `${number(Math.round(value * 10) / 10)} /min`, atLeast: 4, steps: COUNT_STEPS };

/** The counts of the last half minute at each step, times two. */
function perMinute(columns: readonly (readonly number[])[], { times, stepSeconds }: Track): number[] {
  const steps = Math.max(1, Math.round(REFUSAL_WINDOW_SECONDS / stepSeconds));
  const counts = times.map((_time, i) => columns.reduce((sum, column) => sum + (column[i] ?? 0), 0));
  let sum = 0;
  return counts.map((count, i) => {
    sum += count - (i >= steps ? (counts[i - steps] ?? 0) : 0);
    return (sum * 60) / (steps * stepSeconds);
  });
}
