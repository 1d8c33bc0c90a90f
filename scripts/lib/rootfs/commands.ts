import { runCommand } from '../processes.ts';
import type { CommandResult } from '../processes.ts';

/** The steps that fetch and build take minutes on a slow line. */
const STEP_TIMEOUT_MS = 600_000;

/** @throws Error with what the command wrote last */
export async function succeed(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<CommandResult> {
  const result = await runCommand(command, args, { timeoutMs: STEP_TIMEOUT_MS, ...options });
  if (result.exit !== 'exit code 0') {
    throw new Error(`${command} ${args.slice(0, 3).join(' ')} …: ${result.exit}\n${result.output.trimEnd()}`);
  }
  return result;
}
