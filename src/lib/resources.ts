import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

/** What this process may use of its machine. */
export interface Resources {
  /** Open files and sockets; `null` where the system does not tell. */
  readonly descriptorLimit: number | null;
  /** The machine's memory, or less where its control group has a limit. */
  readonly memoryLimitBytes: number;
}

let known: Resources | undefined;

/** Read once: neither changes while a process runs, but for what an administrator does to it by hand. */
export function resources(): Resources {
  known ??= { descriptorLimit: descriptorLimit(), memoryLimitBytes: Math.min(totalmem(), groupLimit()) };
  return known;
}

/** 0 and absurd numbers stand for "none". */
function groupLimit(): number {
  const limit = process.constrainedMemory();
  return limit === 0 ? Infinity : limit;
}

/** The soft limit, which Node raises to the hard one when it starts. */
function descriptorLimit(): number | null {
  try {
    const soft = /^Max open files +(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined || soft === 'unlimited' ? null : Number(soft);
  } catch {
    return null; // Not Linux.
  }
}
