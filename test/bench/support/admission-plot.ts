import { REQUESTS } from './admission-measurement.ts';
import type { Measurement, Request } from './admission-measurement.ts';
import type { Panel } from './plot.ts';
import { LINES } from './relay-lines.ts';
import { RELAY_NAMES, kindOf } from './relays.ts';
import type { RelayName } from './relays.ts';
import { writeChart } from './write-chart.ts';

const KINDS = Object.keys(REQUESTS) as Request[];

/** What a CPU-second of each relay answers, by the kind of request: a row for each encryption, a panel for each number at once. */
export function writePlot(measurements: readonly Measurement[]): void {
  const names = RELAY_NAMES.filter((name) => measurements.some(({ relay }) => relay === name));
  writeChart('admission', {
    title: 'Requests that a relay answers with one CPU-second (more is better)',
    xLabel: Object.entries(REQUESTS).map(([kind, meaning]) => `${kind}: ${meaning}`).join('; '),
    yLabel: 'requests per CPU-second, logarithmic',
    categories: KINDS,
    series: names.map((name) => ({ name: kindOf(name).title, ...LINES[name] })),
    panels: [...Map.groupBy(measurements, ({ security }) => security).values()].map((rows) => panelsOf(rows, names)),
  });
}

function panelsOf(rows: readonly Measurement[], names: readonly RelayName[]): Panel[] {
  return [...Map.groupBy(rows, ({ parallel }) => parallel)].map(([parallel, some]) => ({
    title: `${some[0]?.security === 'tls' ? 'TLS' : 'noise'}, ${parallel} at once`,
    values: new Map(names.map((name) => [kindOf(name).title, KINDS.map((kind) => some.find(({ relay, request }) => relay === name && request === kind)?.perCpuSecond)])),
  }));
}
