/** Line charts as SVG: panels side by side over the same categories, with a logarithmic value axis and one legend. */

export interface Series {
  readonly name: string;
  readonly color: string;
  /** A variant of another series that has its color. */
  readonly dashed?: boolean;
}

export interface Panel {
  readonly title: string;
  /** By the name of the series, one value a category; `undefined` where nothing was measured. */
  readonly values: ReadonlyMap<string, readonly (number | undefined)[]>;
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly categories: readonly string[];
  readonly series: readonly Series[];
  /** Rows of panels. */
  readonly panels: readonly (readonly Panel[])[];
}

const PANEL = { width: 300, height: 210 };
const GAP = { x: 24, y: 58 };
const MARGIN = { top: 96, left: 64, right: 20, bottom: 52 };
/** Between light and dark: readable on either, as the lines are. */
const INK = '#78818a';
const LEGEND_ITEM_WIDTH = 200;
const LEGEND_ROW_HEIGHT = 18;
/** Room for the title over a single panel. */
const MIN_WIDTH = 620;

interface Scale {
  readonly min: number;
  readonly max: number;
}

export function renderChart(chart: Chart): string {
  const columns = Math.max(...chart.panels.map((row) => row.length));
  const inner = columns * PANEL.width + (columns - 1) * GAP.x;
  const perRow = Math.max(1, Math.floor(inner / LEGEND_ITEM_WIDTH));
  const top = MARGIN.top + Math.ceil(chart.series.length / perRow) * LEGEND_ROW_HEIGHT - LEGEND_ROW_HEIGHT;
  const width = Math.max(MIN_WIDTH, MARGIN.left + inner + MARGIN.right);
  const height = top + chart.panels.length * (PANEL.height + GAP.y) - GAP.y + MARGIN.bottom;
  const scale = scaleOf(chart);
  const parts = chart.panels.flatMap((row, r) => row.map((panel, c) => group(MARGIN.left + c * (PANEL.width + GAP.x), top + r * (PANEL.height + GAP.y), panelOf(chart, panel, scale, c === 0))));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}" role="img">`,
    `<title>${escape(chart.title)}</title>`,
    text(width / 2, 26, chart.title, 'text-anchor="middle" font-size="16" font-weight="600"'),
    group(MARGIN.left, 52, legendOf(chart.series, perRow)),
    ...parts,
    text(MARGIN.left + inner / 2, height - 12, chart.xLabel, 'text-anchor="middle"'),
    `<text transform="translate(16 ${(top + height - MARGIN.bottom) / 2}) rotate(-90)" text-anchor="middle">${escape(chart.yLabel)}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function scaleOf({ panels }: Chart): Scale {
  const all = panels.flat().flatMap(({ values }) => [...values.values()].flat()).filter((value) => value !== undefined);
  const ticks = ticksOver(Math.min(...all), Math.max(...all));
  return { min: ticks[0] ?? 1, max: ticks.at(-1) ?? 10 };
}

/** 1, 2, 5, 10, 20, … from just below the least to just above the most. */
function ticksOver(least: number, most: number): number[] {
  const ticks: number[] = [];
  for (let decade = 10 ** Math.floor(Math.log10(least)); decade <= most * 10; decade *= 10) {
    ticks.push(...[1, 2, 5].map((step) => Number((step * decade).toPrecision(1))));
  }
  const from = ticks.findLastIndex((tick) => tick <= least);
  const to = ticks.findIndex((tick) => tick >= most && tick > least);
  return ticks.slice(from, to + 1);
}

function panelOf(chart: Chart, { title, values }: Panel, scale: Scale, isFirst: boolean): string[] {
  const x = (index: number): number => round(((index + 0.5) / chart.categories.length) * PANEL.width);
  const y = (value: number): number => round(PANEL.height * (1 - Math.log(value / scale.min) / Math.log(scale.max / scale.min)));
  return [
    text(0, -8, title, 'font-weight="600"'),
    ...ticksOver(scale.min, scale.max).flatMap((tick) => [
      `<path d="M0 ${y(tick)}H${PANEL.width}" stroke="${INK}" stroke-opacity=".25"/>`,
      ...(isFirst ? [text(-8, y(tick) + 4, String(tick), 'text-anchor="end"')] : []),
    ]),
    ...chart.categories.map((name, index) => text(x(index), PANEL.height + 18, name, 'text-anchor="middle"')),
    ...chart.series.flatMap((series) => lineOf(series, values.get(series.name) ?? [], x, y)),
  ];
}

function lineOf(series: Series, values: readonly (number | undefined)[], x: (index: number) => number, y: (value: number) => number): string[] {
  const points = values.flatMap((value, index) => (value === undefined ? [] : [{ x: x(index), y: y(value), value }]));
  const path = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${point.x} ${point.y}`).join('');
  return [
    `<path d="${path}" fill="none" ${strokeOf(series)}/>`,
    ...points.map((point) => `<circle cx="${point.x}" cy="${point.y}" r="3.5" fill="${series.color}"><title>${escape(series.name)}: ${point.value.toFixed(2)}</title></circle>`),
  ];
}

function legendOf(series: readonly Series[], perRow: number): string[] {
  return series.flatMap((one, index) => {
    const x = (index % perRow) * LEGEND_ITEM_WIDTH;
    const y = Math.floor(index / perRow) * LEGEND_ROW_HEIGHT;
    return [`<path d="M${x} ${y}h24" ${strokeOf(one)}/>`, `<circle cx="${x + 12}" cy="${y}" r="3.5" fill="${one.color}"/>`, text(x + 30, y + 4, one.name)];
  });
}

function strokeOf({ color, dashed }: Series): string {
  return `stroke="${color}" stroke-width="2"${dashed === true ? ' stroke-dasharray="5 4"' : ''}`;
}

function group(x: number, y: number, parts: readonly string[]): string {
  return `<g transform="translate(${x} ${y})">\n${parts.join('\n')}\n</g>`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
