import { spawnSync } from 'node:child_process';
import { toolPath } from './why-not.ts';

/** These commands talk to the kernel and are done in milliseconds; one that hangs must not hang the tests. */
const COMMAND_TIMEOUT_MS = 10_000;

/** Runs a system tool to its end. @throws Error with what it wrote to stderr. @returns its output */
export function run(tool: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync(toolPath(tool) ?? tool, args, { encoding: 'utf8', input, timeout: COMMAND_TIMEOUT_MS, killSignal: 'SIGKILL' });
  if (status !== 0) {
    throw new Error(`${tool} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
  }
  return stdout;
}
