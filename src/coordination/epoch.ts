import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RelaydError } from '../lib/errors.ts';
import { writePrivateFile } from '../lib/private-file.ts';

/** What no clock of our time shows: a file or a record that says more was not written by us, and would leave no room above it. */
export const MAX_EPOCH = 2 ** 50;

/**
 * The number of a new run of this relay, above that of every run before it from the same data directory. It begins at the wall clock, so that a relay
 * whose data directory was lost goes on above what others remember of it, and is kept, so that a clock that was set back does no harm.
 *
 * @throws RelaydError FILE_UNREADABLE, FILE_UNWRITABLE
 */
export async function nextEpoch(dataDir: string, wallMs: number): Promise<number> {
  const file = join(dataDir, 'cluster-epoch');
  const epoch = Math.max((await lastEpoch(file)) + 1, Math.floor(wallMs));
  try {
    await writePrivateFile(file, `${epoch}\n`);
  } catch (cause) {
    throw new RelaydError('FILE_UNWRITABLE', `${file} cannot be written; the data directory must be writable by the user that runs relayd`, { cause });
  }
  return epoch;
}

async function lastEpoch(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return '0';
    throw new RelaydError('FILE_UNREADABLE', `${file} cannot be read; it must be readable by the user that runs relayd`, { cause });
  });
  const epoch = Number(text);
  if (!Number.isSafeInteger(epoch) || epoch < 0 || epoch >= MAX_EPOCH) {
    throw new RelaydError('FILE_UNREADABLE', `${file} does not hold the number of this relay's last run; remove it once this machine's clock is right, and a new one is made`);
  }
  return epoch;
}
