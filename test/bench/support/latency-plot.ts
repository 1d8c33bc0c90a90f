import type { Result } from './latency-results.ts';
import type { Panel, Series } from './plot.ts';
import { LINES } from './relay-lines.ts';
import { RELAY_NAMES, kindOf } from './relays.ts';
import type { RelayName } from './relays.ts';
import { writeChart } from './write-chart.ts';

const NO_RELAY: Series = { name: 'no relay', color: '#5f9e4a', dashed: true };

/** The p99 of the smallest ping over the number of bulk circuits: a row for each encryption, a panel for each placement of the bulk. */
export function writePlot(results: readonly Result[]): void {
  const smallest = Math.min(...results.map(({ bytes }) => bytes));
  const shown = results.filter(({ bytes }) => bytes === smallest);
  const bulks = [...new Set(shown.map(({ bulk }) => bulk))].sort((a, b) => a - b);
  const names = RELAY_NAMES.filter((name) => shown.some(({ relays }) => relays[name] !== undefined));
  writeChart('latency', {
    title: `p99 of a round trip of ${smallest} bytes through a busy relay (less is better)`,
    xLabel: 'bulk circuits through the same relay',
    yLabel: 'milliseconds, logarithmic',
    categories: bulks.map(String),
    series: [...names.map((name) => ({ name: kindOf(name).title, ...LINES[name] })), NO_RELAY],
    panels: [...Map.groupBy(shown, ({ security }) => security).values()].map((rows) => panelsOf(rows, bulks, names)),
  });
}

function panelsOf(rows: readonly Result[], bulks: readonly number[], names: readonly RelayName[]): Panel[] {
  const placements = [...new Set(rows.map(({ placement }) => placement))].filter((placement) => placement !== 'idle');
  return placements.map((placement) => {
    const line = bulks.map((bulk) => rows.find((row) => row.bulk === bulk && (row.placement === placement || row.placement === 'idle')));
    return {
      title: `${rows[0]?.security === 'tls' ? 'TLS' : 'noise'}, bulk on ${placement === 'shared' ? 'the same' : 'other'} connections`,
      values: new Map([
        ...names.map((name) => [kindOf(name).title, line.map((row) => inMs(row?.relays[name]?.relayed.p99Us))] as const),
        // Beside ours, or whichever was measured first.
        [NO_RELAY.name, line.map((row) => inMs(Object.values(row?.relays ?? {})[0]?.direct.p99Us))] as const,
      ]),
    };
  });
}

function inMs(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us / 1000;
}
