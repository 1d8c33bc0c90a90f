import type UPlot from 'uplot';
import { make, setText } from './elements.ts';

/** The library is a script of its own, loaded before the modules. */
declare const uPlot: typeof UPlot;

export interface Series {
  readonly label: string;
  /** The number of its colour in the style sheet. */
  readonly colour: number;
  readonly fill?: boolean;
}

export interface PlotSpec {
  readonly title: string;
  readonly say: (value: number) => string;
  /** The vertical axis reaches at least this far: a flat line does not fill the plot with noise. */
  readonly atLeast: number;
  /** Steps between the lines of the vertical axis; the library's own otherwise. */
  readonly steps?: number[];
}

export interface PlotData {
  readonly series: readonly Series[];
  /** Seconds, then one column for each series. */
  readonly columns: readonly (readonly (number | null)[])[];
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

const HEIGHT_PX = 150;
const AXIS_PX = 64;
const FONT = '11px system-ui, sans-serif';
/** Minutes and hours: seconds between them only crowd the axis. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360].map((minutes) => minutes * 60);
/** All plots show the same moment when the pointer is over one. */
const SYNC = 'time';

/** One plot over time: axes, a legend with the values under the pointer or the latest ones, and arrow keys in place of a pointer. */
export class Plot {
  readonly element: HTMLElement;
  readonly #spec: PlotSpec;
  readonly #canvas = make('div', { class: 'canvas', tabindex: 0, role: 'img' });
  readonly #legend = make('ul', { class: 'legend' });
  readonly #moment = make('span', { class: 'moment' });
  #plot: UPlot | undefined;
  #data: PlotData = { series: [], columns: [[]], fromSeconds: 0, toSeconds: 1 };
  #values: HTMLElement[] = [];

  constructor(spec: PlotSpec) {
    this.#spec = spec;
    this.element = make('figure', { class: 'card plot' }, make('figcaption', {}, make('h3', {}, spec.title), this.#moment), this.#legend, this.#canvas);
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    this.#canvas.addEventListener('keydown', (event) => this.#onKey(event));
    this.#canvas.addEventListener('blur', () => this.#plot?.setCursor({ left: -10, top: -10 }));
  }

  show(data: PlotData): void {
    const same = this.#plot !== undefined && JSON.stringify(data.series) === JSON.stringify(this.#data.series);
    this.#data = data;
    if (!same) this.#build();
    else this.#plot?.setData(data.columns as UPlot.AlignedData);
    this.#sayValues();
  }

  /** Colours are of the style sheet: when they change, what is drawn is drawn again. */
  redraw(): void {
    this.#plot?.redraw(false, true);
  }

  #build(): void {
    this.#plot?.destroy();
    this.#values = this.#data.series.map(() => make('span', { class: 'figure' }));
    this.#legend.replaceChildren(...this.#data.series.map(({ label, colour }, i) => make('li', {}, make('span', { class: `swatch c${colour}` }), make('span', {}, label), this.#values[i] ?? '')));
    this.#plot = new uPlot(this.#options(), this.#data.columns as UPlot.AlignedData, this.#canvas);
  }

  #options(): UPlot.Options {
    const { say, atLeast, steps } = this.#spec;
    const line = { stroke: () => cssValue('--line'), width: 1 };
    return {
      width: Math.max(1, this.#canvas.clientWidth),
      height: HEIGHT_PX,
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: SYNC }, points: { size: 6 } },
      scales: { x: { range: () => [this.#data.fromSeconds, this.#data.toSeconds] }, y: { range: (_plot, _min, max) => [0, Math.max(atLeast, (max ?? 0) * 1.08)] } },
      axes: [
        { stroke: () => cssValue('--soft'), grid: { show: false }, ticks: { ...line, size: 4 }, font: FONT, space: 44, size: 26, gap: 4, incrs: TIME_STEPS, values: (_plot, splits) => splits.map((seconds) => timeOfDay(seconds)) },
        { stroke: () => cssValue('--soft'), grid: line, ticks: { show: false }, font: FONT, size: AXIS_PX, gap: 6, space: 24, ...(steps === undefined ? {} : { incrs: steps }), values: (_plot, splits) => splits.map(say) },
      ],
      series: [{}, ...this.#data.series.map((series) => seriesOptions(series))],
      hooks: { setCursor: [() => this.#sayValues()] },
    };
  }

  #sayValues(): void {
    const [times = [], ...columns] = this.#data.columns;
    const pointed = this.#plot?.cursor.idx;
    const at = pointed ?? times.length - 1;
    setText(this.#moment, pointed === null || pointed === undefined ? '' : timeOfDay(times[at] ?? 0, true));
    const said = columns.map((column) => (typeof column[at] === 'number' ? this.#spec.say(column[at]) : '–'));
    said.forEach((value, i) => this.#values[i] !== undefined && setText(this.#values[i], value));
    if (pointed === null || pointed === undefined) this.#canvas.setAttribute('aria-label', `${this.#spec.title}: ${this.#data.series.map(({ label }, i) => `${label} ${said[i]}`).join(', ')}. Arrow keys go through time.`);
  }

  #onKey(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const times = this.#data.columns[0] ?? [];
    if (step === undefined || this.#plot === undefined || times.length === 0) return;
    event.preventDefault();
    const at = Math.min(times.length - 1, Math.max(0, (this.#plot.cursor.idx ?? times.length - 1) + step));
    this.#plot.setCursor({ left: this.#plot.valToPos(times[at] ?? 0, 'x'), top: 0 });
  }

  #resize(): void {
    const width = this.#canvas.clientWidth;
    if (this.#plot !== undefined && width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT_PX });
  }
}

function seriesOptions({ label, colour, fill }: Series): UPlot.Series {
  const stroke = (): string => cssValue(`--c${colour}`);
  return { label, stroke, width: 1.5, points: { show: false }, ...(fill === true ? { fill: () => `color-mix(in srgb, ${stroke()} 14%, transparent)` } : {}) };
}

function cssValue(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

function timeOfDay(seconds: number, exact = false): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', ...(exact ? { second: '2-digit' } : {}) });
}
