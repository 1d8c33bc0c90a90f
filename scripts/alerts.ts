import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { planOrUsage } from '../test/bench/support/options.ts';
import { writeFiguresPage } from '../test/support/alerts/figures-page.ts';
import { runScene } from '../test/support/alerts/run.ts';
import type { Outcome } from '../test/support/alerts/run.ts';
import type { Scene } from '../test/support/alerts/scene.ts';
import { SCENES } from '../test/support/alerts/scenes/index.ts';
import { Prometheus, prometheusMissing } from '../test/support/prometheus.ts';

/** The program behind `scripts/alerts`. */

const USAGE = `usage: scripts/alerts [NAME…] [OPTIONS]

Breaks running nodes in the ways that are named, or all, under the eyes of a real Prometheus with the rules of configs/prometheus,
and measures how long each alert takes to fire, and to resolve after the repair. A minute of the rules takes a second.

  --list          names the scenes
  --out FILE      the figures as JSON (.cache/alerts.json in the checkout); scenes that are not run keep what stands there
  --docs          writes docs/monitoring/figures.md from that file`;

const OPTIONS = {
  list: { type: 'boolean', default: false },
  out: { type: 'string', default: fileURLToPath(new URL('../.cache/alerts.json', import.meta.url)) },
  docs: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

interface Plan {
  scenes: readonly Scene[];
  list: boolean;
  out: string;
  docs: boolean;
}

/** @returns nothing when help was asked for. @throws Error that says what is wrong */
function planOf(args: readonly string[]): Plan | undefined {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  if (values.help) return undefined;
  const unknown = positionals.find((name) => !SCENES.some((scene) => scene.name === name));
  if (unknown !== undefined) throw new Error(`no scene is called ${unknown}; scripts/alerts --list names them`);
  const missing = prometheusMissing();
  if (missing !== false && !values.list) throw new Error(missing);
  return { scenes: positionals.length === 0 ? SCENES : SCENES.filter(({ name }) => positionals.includes(name)), list: values.list, out: resolve(values.out), docs: values.docs };
}

async function main(): Promise<void> {
  const plan = planOrUsage(planOf, USAGE);
  if (plan === undefined) return;
  if (plan.list) {
    plan.scenes.forEach(({ name, title }) => console.log(`${name.padEnd(16)} ${title}`));
    return;
  }
  const outcomes = await runAll(plan);
  const all = merged(plan.out, outcomes);
  writeFileSync(plan.out, `${JSON.stringify(all, null, 2)}\n`);
  if (plan.docs) writeFiguresPage(all);
  process.exitCode = outcomes.some(({ error }) => error !== undefined) ? 1 : 0;
}

async function runAll({ scenes }: Plan): Promise<Outcome[]> {
  const prometheus = await Prometheus.start();
  const outcomes: Outcome[] = [];
  try {
    for (const scene of scenes) {
      const outcome = await runScene(prometheus, scene);
      print(outcome);
      outcomes.push(outcome);
    }
  } finally {
    await prometheus.stop();
  }
  return outcomes;
}

function print({ name, measured, skipped, error }: Outcome): void {
  const columns = (alert: string, fired: string, resolved: string): void => console.log(`${name.padEnd(16)} ${alert.padEnd(32)} ${fired.padStart(8)} ${resolved.padStart(8)}`);
  measured.forEach(({ alert, firedSeconds, resolvedSeconds }) => columns(alert, `${firedSeconds} s`, `${resolvedSeconds} s`));
  if (skipped !== undefined) console.log(`${name.padEnd(16)} skipped: ${skipped}`);
  if (error !== undefined) console.log(`${name.padEnd(16)} FAILED: ${error}`);
}

/** What stands in the file, with the new outcomes in it, in the order of the scenes. */
function merged(file: string, outcomes: readonly Outcome[]): Outcome[] {
  mkdirSync(dirname(file), { recursive: true });
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Outcome[]) : [];
  return SCENES.flatMap(({ name }) => (outcomes.find((one) => one.name === name) ?? before.find((one) => one.name === name)) ?? []);
}

await main();
