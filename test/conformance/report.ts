import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { play, playAll } from './case.ts';
import type { Case } from './case.ts';
import { CASES } from './cases/index.ts';
import type { TargetKind } from './targets.ts';
import { variant } from './variant.ts';

/**
 * Plays the suite against one relay and prints what it found:
 * `node test/conformance/report.ts [--target ours|stock|go] [--only 3,7] [--json FILE]
 * [--data-path native|stock] [--security noise|tls] [--over tcp|ws]` (the last three of ours). Exits 1 when a behaviour is missing.
 */
interface Outcome {
  number: number;
  title: string;
  pass: boolean;
  reason?: string;
  ms: number;
}

/** Most of a case is waiting: six at once still leave two cores idle for most of the time. */
const PARALLEL = 6;

async function outcomeOf(one: Case, target: TargetKind): Promise<Outcome> {
  const { number, title } = one;
  const started = performance.now();
  const reason = await play(one, target).then(() => undefined, (error: unknown) => firstLine(error));
  return { number, title, pass: reason === undefined, reason, ms: Math.round(performance.now() - started) };
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0] ?? '';
}

function print(outcomes: Outcome[], target: TargetKind): void {
  for (const { number, title, pass, reason, ms } of outcomes) {
    const mark = pass ? 'ok  ' : 'FAIL';
    console.log(`${String(number).padStart(2)} ${mark} ${title}${reason === undefined ? '' : `\n        ${reason}`}  (${ms} ms)`);
  }
  console.log(`${target}: ${outcomes.filter(({ pass }) => pass).length} of ${outcomes.length}`);
}

const { values } = parseArgs({ options: { target: { type: 'string', default: 'ours' }, only: { type: 'string' }, json: { type: 'string' }, 'data-path': { type: 'string', default: 'native' }, security: { type: 'string', default: 'noise' }, over: { type: 'string', default: 'tcp' } } });
Object.assign(variant, { dataPath: values['data-path'], security: values.security, over: values.over });
const target = values.target as TargetKind;
if (!['ours', 'stock', 'go'].includes(target)) {
  console.error(`--target ${target}: ours, stock or go`);
  process.exitCode = 64;
} else {
  const wanted = values.only?.split(',').map(Number);
  const cases = CASES.filter(({ number }) => wanted?.includes(number) ?? true);
  const outcomes = await playAll(cases, PARALLEL, (one) => outcomeOf(one, target));
  print(outcomes, target);
  if (values.json !== undefined) {
    await writeFile(values.json, `${JSON.stringify({ target, passed: outcomes.filter(({ pass }) => pass).length, of: outcomes.length, outcomes }, null, 2)}\n`);
  }
  process.exitCode = outcomes.every(({ pass }) => pass) ? 0 : 1;
}
