import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { WrittenFigure } from './figure.ts';
import type { WrittenRow } from './report.ts';

const PAGE = fileURLToPath(new URL('../../../docs/faults/figures.md', import.meta.url));

const HEAD = `<!-- made by \`scripts/faults --docs\`: do not edit -->
# What the fault suite measured

[README.md](README.md) says what each row does. p50 / p99 / max of all values of all runs; "failed" is never part of a percentile.

| row | runs | values | failed | p50 | p99 | max | unit | bound | |
|---|---|---|---|---|---|---|---|---|---|
`;

const AROUND = '## Around the figures';

/** Writes docs/faults/figures.md from what has been measured, in the order given; rows of the page that were not measured again stay in front, as they are. */
export function writeFiguresPage(rows: readonly WrittenRow[]): void {
  const kept = keptFrom(readFileSync(PAGE, 'utf8'), new Set(rows.map(({ name }) => name)));
  const table = [...kept.table, ...rows.flatMap(tableRows)];
  writeFileSync(PAGE, `${HEAD}${table.join('\n')}\n\n${AROUND}\n\n${[...kept.around, ...rows.map(around)].join('\n')}\n`);
}

function keptFrom(page: string, measured: ReadonlySet<string>): { table: string[]; around: string[] } {
  const [table = '', below = ''] = page.slice(HEAD.length).split(AROUND);
  const isKept = (text: string): boolean => !measured.has(/^[|-] `?([\w-]+)/.exec(text)?.[1] ?? '');
  const blocks = below.trim().split(/\n(?=- )/);
  return { table: table.trim().split('\n').filter(isKept), around: blocks.filter(isKept) };
}

function tableRows({ name, figures, error, skipped }: WrittenRow): string[] {
  if (skipped !== undefined || error !== undefined) return [`| ${name} | | | | | | | | | ${skipped === undefined ? `FAILED: ${error}` : `skipped: ${skipped}`} |`];
  return figures.map((figure) => `| \`${name}\`: ${cells(figure).join(' | ')} |`);
}

function cells({ title, runs, count, failures, p50, p99, max, unit, bound, missed }: WrittenFigure): (string | number)[] {
  return [title, runs, count, failures.length, p50 ?? '-', p99 ?? '-', max ?? '-', unit, bound, missed.length === 0 ? 'met' : 'MISSED'];
}

function around({ name, at, amount, noise, machine, notes }: WrittenRow): string {
  const others = noise === undefined ? '' : `; ${noise.seconds} s, load ${noise.load1}, stolen ${noise.stealPercent} %, other processes ${noise.othersPercent} %, the suite itself ${noise.ownPercent} % of the machine`;
  const lines = notes.map((note) => `  - ${note}`);
  return [`- \`${name}\`, ${at.slice(0, 10)}: ${amount.clients} clients, ${machine.cores} cores (${machine.processor}), Node ${machine.node}${others}`, ...lines].join('\n');
}
