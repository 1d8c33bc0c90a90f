import type { Panel } from './plot.ts';
import { LINES } from './relay-lines.ts';
import { RELAY_NAMES, kindOf } from './relays.ts';
import type { RelayName } from './relays.ts';
import type { Measurement } from './stalled-measurement.ts';
import { writeChart } from './write-chart.ts';

/** A logarithmic axis has no zero, and less than this is lost in what a process gains and loses anyway. */
const LEAST_MIB = 0.01;

/** What a relay holds for one stalled circuit over their number: a row for each encryption, a panel for each placement. */
export function writePlot(measurements: readonly Measurement[]): void {
  const counts = [...new Set(measurements.map(({ circuits }) => circuits))].sort((a, b) => a - b);
  const names = RELAY_NAMES.filter((name) => measurements.some(({ relay }) => relay === name));
  writeChart('stalled', {
    title: 'Memory of a relay for each circuit whose reader has stopped (less is better)',
    xLabel: 'circuits whose readers have stopped',
    yLabel: 'MiB resident each, logarithmic',
    categories: counts.map(String),
    series: names.map((name) => ({ name: kindOf(name).title, ...LINES[name] })),
    panels: [...Map.groupBy(measurements, ({ security }) => security).values()].map((rows) => panelsOf(rows, counts, names)),
  });
}

function panelsOf(rows: readonly Measurement[], counts: readonly number[], names: readonly RelayName[]): Panel[] {
  return [...Map.groupBy(rows, ({ placement }) => placement)].map(([placement, some]) => ({
    title: `${some[0]?.security === 'tls' ? 'TLS' : 'noise'}, ${placement === 'shared' ? 'all on one connection' : 'beside a healthy connection'}`,
    values: new Map(names.map((name) => [kindOf(name).title, counts.map((count) => valueOf(some.find(({ relay, circuits }) => relay === name && circuits === count)))])),
  }));
}

function valueOf(one: Measurement | undefined): number | undefined {
  return one === undefined ? undefined : Math.max(LEAST_MIB, one.rssPerCircuitMiB);
}
