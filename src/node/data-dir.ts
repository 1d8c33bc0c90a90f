import { access, constants } from 'node:fs/promises';
import { readAdminFile } from '../admin/index.ts';
import { RelaydError } from '../lib/errors.ts';
import { makeDir } from '../lib/make-dir.ts';

/** A daemon on this machine answers at once, or is not there. */
const ANSWER_TIMEOUT_MS = 1_000;

/**
 * Makes the data directory, and makes sure that no other daemon works in it: two would be one peer in two places.
 *
 * @throws RelaydError DATA_DIR_UNWRITABLE, DATA_DIR_IN_USE
 */
export async function claimDataDir(dataDir: string): Promise<void> {
  try {
    await makeDir(dataDir, 0o700);
    await access(dataDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new RelaydError('DATA_DIR_UNWRITABLE', `dataDir: ${dataDir} is not a folder that relayd can write to; create it, give it to the user that runs relayd, or set another dataDir`, { cause });
  }
  const other = await daemonIn(dataDir);
  if (other !== undefined) {
    throw new RelaydError('DATA_DIR_IN_USE', `dataDir: ${dataDir} is used by a daemon that runs (process ${other}); stop it, or give this one a dataDir of its own`, { data: { pid: other } });
  }
}

/** The daemon that wrote `admin.json`, if it still answers: a crash leaves the file behind, and its pid may be another's by now. */
async function daemonIn(dataDir: string): Promise<number | undefined> {
  const file = await readAdminFile(dataDir).catch(() => undefined);
  if (file === undefined || !file.url.startsWith('http') || !isAlive(file.pid)) {
    return undefined;
  }
  const answers = await fetch(new URL('/livez', file.url), { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) }).then(({ ok }) => ok, () => false);
  return answers ? file.pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
