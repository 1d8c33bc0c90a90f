import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** What runs in a namespace of pids and would go on when this process is told to end. */
const running = new Set<ChildProcess>();

/** Starts a command that becomes an `unshare --pid --fork`. It is in this process's group, so that who kills the group leaves nothing. */
export function spawnInside(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, options);
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Process 1 inside, as its pid is outside; `undefined` when it has ended. */
export async function insidePid({ pid }: ChildProcess): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return children.trim() === '' ? undefined : Number(children.trim().split(' ')[0]);
}

/** With process 1 goes everything inside. */
export async function killInside(child: ChildProcess): Promise<void> {
  const pid = await insidePid(child);
  child.kill('SIGKILL');
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
}

export async function killAllInside(): Promise<void> {
  await Promise.all([...running].map(killInside));
}
