import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { renderChart } from './plot.ts';
import type { Chart } from './plot.ts';

const FOLDER = fileURLToPath(new URL('../../../docs/performance/', import.meta.url));

/** Writes `docs/performance/NAME.svg` in the checkout. */
export function writeChart(name: string, chart: Chart): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}${name}.svg`, renderChart(chart));
}
