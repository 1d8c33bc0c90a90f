import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyConfig } from '../../test/support/config-files.ts';
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
  ...globSync('configs/*.yaml').toSorted().map(configCheck),
];

function bin(name: string): string {
  return join('node_modules', '.bin', name);
}

/** A check that is a command: it passes when the command ends with 0. */
function commandCheck(name: string, command: string, args: readonly string[]): Check {
  return { name, run: () => reportCommand(name, command, args, CHECK_TIMEOUT_MS) };
}

/** Beside the files that it names: a config whose secret is missing is refused. */
function configCheck(file: string): Check {
  const name = `check/${file}`;
  const run = async (): Promise<Report> => {
    const folder = mkdtempSync(join(tmpdir(), 'relayd-check-'));
    try {
      return await reportCommand(name, process.execPath, ['src/main.ts', 'config', 'check', '--config', copyConfig(file, folder)], CHECK_TIMEOUT_MS);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  return { name, run };
}

export async function reportCommand(name: string, command: string, args: readonly string[], timeoutMs: number, cwd?: string): Promise<Report> {
  const startedAt = performance.now();
  const { exit, output } = await runCommand(command, args, { timeoutMs, cwd });
  const durationMs = performance.now() - startedAt;
  const passed = exit === 'exit code 0';
  const result: Result = { name, outcome: passed ? 'passed' : 'failed', durationMs, detail: passed ? undefined : `${[command, ...args].join(' ')}: ${exit}` };
  return { title: name, results: [result], durationMs, output };
}
