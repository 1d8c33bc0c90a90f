import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Figure, WrittenFigure } from './figure.ts';
import { round } from './figure.ts';
import { machine } from './machine.ts';
import type { Machine } from './machine.ts';
import type { Outcome } from './row.ts';

const HEAD = ['row', 'runs', 'values', 'failed', 'p50', 'p99', 'max', '', 'bound', ''];
/** Failures that the screen shows of one figure; the file has all. */
const SHOWN = 3;

export function printOutcomes(outcomes: readonly Outcome[]): void {
  console.log(`\n${Object.entries(machine()).map(([key, value]) => `${key} ${value}`).join(', ')}\n`);
  printTable([HEAD, ...outcomes.flatMap(rowsOf)]);
  outcomes.forEach(printDetails);
}

/** The first column begins, the others end where those above do. */
function printTable(rows: readonly (readonly string[])[]): void {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    console.log(row.map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0))).join('   '));
  }
}

function rowsOf({ row, figures, error, skipped }: Outcome): string[][] {
  if (skipped !== undefined) return [[row.name, '', '', '', '', '', '', '', '', 'skipped']];
  if (error !== undefined) return [[row.name, '', '', '', '', '', '', '', '', 'FAILED']];
  return figures.map((figure) => figureRow(row.name, figure));
}

function figureRow(name: string, figure: Figure): string[] {
  const numbers = [figure.p50, figure.p99, figure.max].map((value) => (Number.isFinite(value) ? String(round(value)) : '-'));
  return [`${name}: ${figure.title}`, String(figure.runs), String(figure.values.length), String(figure.failures.length), ...numbers, figure.unit, figure.boundText, figure.missed().length === 0 ? 'met' : 'MISSED'];
}

function printDetails({ row, figures, error, skipped, notes, noise, amount }: Outcome): void {
  if (skipped !== undefined) {
    console.log(`\n${row.name}: skipped: ${skipped}`);
    return;
  }
  const around = noise === undefined ? '' : `; ${noise.seconds} s, load ${noise.load1}, stolen ${noise.stealPercent} %, others ${noise.othersPercent} %, the suite itself ${noise.ownPercent} % of the machine`;
  console.log(`\n${row.name}: ${amount.clients} clients${around}`);
  notes.forEach((note) => console.log(`  ${note}`));
  if (error !== undefined) console.log(`  FAILED: ${error}`);
  for (const figure of figures) {
    figure.failures.slice(0, SHOWN).forEach((failure) => console.log(`  ${figure.title}: ${failure}`));
  }
}

/** A row in the file: its figures written out, and what the machine did meanwhile. */
export interface WrittenRow extends Omit<Outcome, 'row' | 'figures'> {
  readonly name: string;
  readonly title: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly machine: Machine;
  readonly figures: readonly WrittenFigure[];
}

/** Rows that were not run this time stay in the file as they were. */
export function writeOutcomes(file: string, outcomes: readonly Outcome[]): void {
  const now = outcomes.map(writtenRow);
  const before = readRows(file).filter(({ name }) => !now.some((row) => row.name === name));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ rows: [...before, ...now] }, null, 1)}\n`);
}

function writtenRow({ row, figures, ...rest }: Outcome): WrittenRow {
  return { name: row.name, title: row.title, at: new Date().toISOString(), machine: machine(), ...rest, figures: figures.map((figure) => figure.toJSON()) };
}

export function readRows(file: string): WrittenRow[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { rows: WrittenRow[] }).rows : [];
}

/** Whether all that was run has met its bounds. */
export function allMet(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(({ figures, error }) => error === undefined && figures.every((figure) => figure.missed().length === 0));
}
