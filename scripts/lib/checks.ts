import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { Report, Result } from '../../test/support/reporter.ts';
import { runCommand } from './processes.ts';

/** What `scripts/test` checks without running a test: each counts as one in the sums. */
export interface Check {
  /** As a filter names it. */
  readonly name: string;
  run(): Promise<Report>;
}

const CHECK_TIMEOUT_MS = 300_000;

export const CHECKS: readonly Check[] = [
  commandCheck('check/lint', bin('oxlint'), ['--type-aware', '--deny-warnings', '--format=unix', 'src', 'test', 'scripts', ...globSync('docs/examples')]),
  commandCheck('check/types', bin('tsc'), ['-p', 'tsconfig.json']),
  commandCheck('check/knip', bin('knip'), ['--no-progress']),
  commandCheck('check/docs', process.execPath, ['scripts/generate-reference.ts', '--check']),
  ...globSync('configs/*.yaml').toSorted().map((file) => commandCheck(`check/${file}`, process.execPath, ['src/main.ts', 'config', 'check', '--config', file])),
];

function bin(name: string): string {
  return join('node_modules', '.bin', name);
}

/** A check that is a command: it passes when the command ends with 0. */
function commandCheck(name: string, command: string, args: readonly string[]): Check {
  return { name, run: () => reportCommand(name, command, args, CHECK_TIMEOUT_MS) };
}

export async function reportCommand(name: string, command: string, args: readonly string[], timeoutMs: number, cwd?: string): Promise<Report> {
  const startedAt = performance.now();
  const { exit, output } = await runCommand(command, args, { timeoutMs, cwd });
  const durationMs = performance.now() - startedAt;
  const passed = exit === 'exit code 0';
  const result: Result = { name, outcome: passed ? 'passed' : 'failed', durationMs, detail: passed ? undefined : `${[command, ...args].join(' ')}: ${exit}` };
  return { title: name, results: [result], durationMs, output };
}
