import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** What the kernel's scheduler does with the threads of a process. */

const NANOSECONDS = 1e9;

/** How long its threads have been ready to run while others ran: on a machine with more work than cores, most of every latency. */
export function waitedSeconds(pid: number): number {
  return tasksOf(pid).reduce((sum, task) => sum + waitedNs(pid, task), 0) / NANOSECONDS;
}

function waitedNs(pid: number, task: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[1]);
  } catch {
    return 0; // a thread that has just ended
  }
}

/** Gives processes another priority. @throws Error below 0 when not root */
export function raise(processes: readonly { readonly pid: number }[], nice: number): void {
  if (nice === 0) return;
  for (const { pid } of processes) setNice(pid, nice);
}

/** Threads that it starts later have the priority of the one that starts them. */
function setNice(pid: number, nice: number): void {
  for (const task of tasksOf(pid)) {
    setPriority(task, nice);
  }
  // Where the kernel groups processes by session, priority counts only within the group; relays and load have one each.
  if (existsSync(`/proc/${pid}/autogroup`)) writeFileSync(`/proc/${pid}/autogroup`, String(nice));
}

function tasksOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number);
}
