import { access, constants } from 'node:fs/promises';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { makeDir } from '../lib/make-dir.ts';
import { lockDir } from '../lib/dir-lock.ts';
import type { DirLock } from '../lib/dir-lock.ts';

/**
 * Makes the data directory, and locks it: two daemons in one would be one peer in two places. Where the file system takes no lock
 * (a full disk, one without links) the daemon runs all the same, and says so.
 *
 * @throws RelaydError DATA_DIR_UNWRITABLE, DATA_DIR_IN_USE
 */
export async function claimDataDir(dataDir: string, log: Logger): Promise<DirLock> {
  try {
    await makeDir(dataDir, 0o700);
    await access(dataDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new RelaydError('DATA_DIR_UNWRITABLE', `dataDir: ${dataDir} is not a folder that relayd can write to; create it, give it to the user that runs relayd, or set another dataDir`, { cause });
  }
  const lock = await lockDir(dataDir).catch((error: unknown) => withoutLock(dataDir, log, error));
  if (typeof lock === 'number') {
    throw new RelaydError('DATA_DIR_IN_USE', `dataDir: ${dataDir} is used by a daemon that runs (process ${lock}); stop it, or give this one a dataDir of its own`, { data: { pid: lock } });
  }
  return lock;
}

function withoutLock(dataDir: string, log: Logger, error: unknown): DirLock {
  log.warn({ dataDir, error: errorMessage(error) }, 'the data directory could not be locked: nothing keeps a second daemon out of it');
  return { release: () => Promise.resolve() };
}
