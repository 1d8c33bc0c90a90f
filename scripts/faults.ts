import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { number, planOrUsage } from '../test/bench/support/options.ts';
import { ROWS } from '../test/faults/rows/index.ts';
import { writeFiguresPage } from '../test/faults/support/figures-page.ts';
import { allMet, printOutcomes, readRows, writeOutcomes } from '../test/faults/support/report.ts';
import type { WrittenRow } from '../test/faults/support/report.ts';
import { runRow } from '../test/faults/support/row.ts';
import type { Outcome, Row } from '../test/faults/support/row.ts';
import type { Amount } from '../test/faults/support/scene.ts';

/** The program behind `scripts/faults`. */

const USAGE = `usage: scripts/faults [NAME…] [OPTIONS]

Runs the rows of the fault suite that are named, or all; docs/faults/README.md says what each does.

  --list          names the rows
  --short         each row once or a few times with few clients, as the tests do
  --only FAULT    of the rows cluster-…, only this fault (relay-kill, store-cut …; more than once for more)
  --runs N        of every row
  --clients N     of every row
  --minutes N     how long the soak lasts (10)
  --out FILE      the figures as JSON (.cache/faults.json in the checkout; with --only, faults-only.json beside it); rows that are not run keep what stands there
  --docs          writes docs/faults/figures.md from that file`;

const OPTIONS = {
  list: { type: 'boolean', default: false },
  short: { type: 'boolean', default: false },
  only: { type: 'string', multiple: true },
  runs: { type: 'string' },
  clients: { type: 'string' },
  minutes: { type: 'string', default: '10' },
  out: { type: 'string' },
  docs: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

interface Plan {
  rows: readonly Row[];
  list: boolean;
  out: string;
  docs: boolean;
  amountOf(row: Row): Amount;
}

/** @returns nothing when help was asked for. @throws Error that says what is wrong */
function planOf(args: readonly string[]): Plan | undefined {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  if (values.help) return undefined;
  const unknown = positionals.find((name) => !ROWS.some((row) => row.name === name));
  if (unknown !== undefined) throw new Error(`no row is called ${unknown}; scripts/faults --list names them`);
  const given = { ...counted('runs', values.runs), ...counted('clients', values.clients) };
  const minutes = number('minutes', values.minutes);
  const rows = positionals.length === 0 ? ROWS : ROWS.filter(({ name }) => positionals.includes(name));
  const only = onlyOf(rows, values.only);
  if (only !== undefined && values.docs) throw new Error('--docs is for whole rows, --only for a part of one');
  return {
    rows,
    list: values.list,
    out: resolve(values.out ?? fileURLToPath(new URL(`../.cache/${only === undefined ? 'faults' : 'faults-only'}.json`, import.meta.url))),
    docs: values.docs,
    amountOf: (row) => ({ ...(values.short ? row.short : row.full), ...given, minutes, short: values.short, ...(only === undefined ? {} : { only }) }),
  };
}

/** @throws Error for a fault that one of the rows does not have */
function onlyOf(rows: readonly Row[], only: readonly string[] | undefined): readonly string[] | undefined {
  for (const { name, faults = [] } of rows) {
    const unknown = only?.find((fault) => !faults.includes(fault));
    if (unknown !== undefined) throw new Error(`no fault of ${name} is called ${unknown}; it has ${faults.join(', ') || 'just one'}`);
  }
  return only;
}

function counted(option: 'runs' | 'clients', text: string | undefined): Partial<Amount> {
  return text === undefined ? {} : { [option]: number(option, text) };
}

async function main(): Promise<void> {
  const plan = planOrUsage(planOf, USAGE);
  if (plan === undefined) return;
  if (plan.list) {
    plan.rows.forEach(({ name, title }) => console.log(`${name.padEnd(16)} ${title}`));
    return;
  }
  const outcomes: Outcome[] = [];
  for (const row of plan.rows) {
    console.error(`${row.name}: ${row.title}`);
    outcomes.push(await runRow(row, plan.amountOf(row)));
    // What has been measured is not lost when a later row is interrupted.
    writeOutcomes(plan.out, outcomes);
  }
  printOutcomes(outcomes);
  if (plan.docs) writeFiguresPage(inOrder(readRows(plan.out)));
  console.log(`\nall values: ${plan.out}`);
  process.exitCode = allMet(outcomes) ? 0 : 1;
}

/** As the suite has them, whenever they were run. */
function inOrder(rows: readonly WrittenRow[]): WrittenRow[] {
  return ROWS.flatMap(({ name }) => rows.filter((row) => row.name === name));
}

await main();
