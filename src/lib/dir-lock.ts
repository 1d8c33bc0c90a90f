import { readFile, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The lock of a folder: a symbolic link `lock` that points to `PID:START`, the process that holds it and when that started. A link is made
 * whole or not at all, only where none is, and needs no block of a disk that may be full.
 */
export interface DirLock {
  /** Lets the folder go; a lock that is another's by now stays. */
  release(): Promise<void>;
}

/** Where somebody else takes and leaves the lock all the time, this is as good as being held. */
const ATTEMPTS = 50;
/** What another needs to remove a stale lock. */
const PAUSE_MS = 10;

/**
 * Takes the lock, if need be from a process that is gone: killed, or its id given to another since.
 *
 * @returns the id of the process that holds it when it cannot be had
 * @throws Error of the file system
 */
export async function lockDir(dir: string): Promise<DirLock | number> {
  const path = join(dir, 'lock');
  const mine = `${process.pid}:${(await startOf(process.pid)) ?? ''}`;
  let holder = 0;
  for (let i = 0; i < ATTEMPTS; i++) {
    if (await makeLink(mine, path)) {
      return { release: () => removeIf(path, mine) };
    }
    const found = await readLock(path);
    if (found === undefined) continue;
    holder = pidOf(found);
    if (await isHeld(found)) return holder;
    await bury(path, found, mine);
  }
  return holder;
}

async function makeLink(target: string, path: string): Promise<boolean> {
  try {
    await symlink(target, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes the lock of a process that is gone. Of two that do so at once, the slower would remove the faster one's new lock: so only who holds
 * the link beside it may remove any, and looks again first.
 */
async function bury(path: string, dead: string, mine: string): Promise<void> {
  const right = `${path}.stale`;
  if (!(await makeLink(mine, right))) {
    const other = await readLock(right);
    if (other !== undefined && !(await isHeld(other))) await rm(right, { force: true });
    await sleep(PAUSE_MS);
    return;
  }
  try {
    await removeIf(path, dead);
  } finally {
    await rm(right, { force: true });
  }
}

async function removeIf(path: string, text: string): Promise<void> {
  if ((await readLock(path)) === text) await rm(path, { force: true });
}

async function isHeld(text: string): Promise<boolean> {
  const pid = pidOf(text);
  if (!isAlive(pid)) {
    return false;
  }
  const start = await startOf(pid);
  // Where the system does not say when a process began, the process id alone has to do.
  return start === undefined || text === `${pid}:` || text === `${pid}:${start}`;
}

/** What the lock says; `undefined` when there is none (any more). @throws Error when what is there is no lock of ours: it is let be */
async function readLock(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readlink(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  if (!LOCK.test(text)) throw new Error(`${path} is not a lock of relayd`);
  return text;
}

/** No id is 0: signals to that go to our own group. */
const LOCK = /^([1-9]\d*):(\d*)$/;

function pidOf(text: string): number {
  return Number(LOCK.exec(text)?.[1]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The dead of whom the parent has not taken note. */
const DEAD_STATES = new Set(['Z', 'X']);

/** When a process began, in ticks since the machine did, as Linux says it; `undefined` elsewhere. A dead one has no start any more. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the program's name in parentheses, and may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = ''] = fields ?? [];
  return DEAD_STATES.has(state) ? 'dead' : fields?.[19];
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
