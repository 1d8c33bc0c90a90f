import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderChart } from './plot.ts';
import type { Panel } from './plot.ts';
import { LINES } from './relay-lines.ts';
import type { Result } from './relay-results.ts';
import { RELAY_NAMES, kindOf } from './relays.ts';
import type { RelayName } from './relays.ts';

const FILE = fileURLToPath(new URL('../../../docs/performance/relay.svg', import.meta.url));

/** The CPU time of all relays over the size of the writes, a panel for each encryption and number of circuits. */
export function writePlot(results: readonly Result[]): void {
  const writes = distinct(results.map(({ writeBytes }) => writeBytes)).sort((a, b) => b - a);
  const names = RELAY_NAMES.filter((name) => results.some(({ relays }) => relays[name] !== undefined));
  const chart = renderChart({
    title: 'CPU time of a relay for each GB that it relays (less is better)',
    xLabel: "size of the sender's writes",
    yLabel: 'CPU seconds per GB, logarithmic',
    categories: writes.map(sizeText),
    series: names.map((name) => ({ name: kindOf(name).title, ...LINES[name] })),
    panels: distinct(results.map(({ security }) => security)).map((security) => panelsOf(results.filter((result) => result.security === security), writes, names)),
  });
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, chart);
}

function panelsOf(results: readonly Result[], writes: readonly number[], names: readonly RelayName[]): Panel[] {
  return [...Map.groupBy(results, ({ circuits }) => circuits)].map(([circuits, row]) => ({
    title: `${row[0]?.security === 'tls' ? 'TLS' : 'noise'}, ${circuits === 1 ? '1 circuit' : `${circuits} circuits`}`,
    values: new Map(names.map((name) => [kindOf(name).title, writes.map((write) => row.find(({ writeBytes }) => writeBytes === write)?.relays[name]?.cpuSecondsPerGB)])),
  }));
}

function distinct<T>(list: readonly T[]): T[] {
  return [...new Set(list)];
}

function sizeText(bytes: number): string {
  return bytes >= 1024 ? `${bytes / 1024} KiB` : `${bytes} B`;
}
