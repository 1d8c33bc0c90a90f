import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorMessage, RelaydError } from '../lib/errors.ts';
import { makeDir } from '../lib/make-dir.ts';
import { writePrivateFile } from '../lib/private-file.ts';

/** How a command of the same machine and user finds a running daemon. */
export interface AdminFile {
  /** `http://host:port` or `unix:/absolute/path`. */
  url: string;
  token: string;
  pid: number;
}

function adminFilePath(dataDir: string): string {
  return join(dataDir, 'admin.json');
}

/**
 * Mode 0600 from its first byte (it holds the token), and never half written: a new file takes the old one's place.
 * @throws RelaydError DATA_DIR_UNWRITABLE
 */
async function writeAdminFile(dataDir: string, content: AdminFile): Promise<void> {
  const path = adminFilePath(dataDir);
  try {
    await makeDir(dirname(path), 0o700);
    await writePrivateFile(path, `${JSON.stringify(content)}\n`);
  } catch (error) {
    throw new RelaydError('DATA_DIR_UNWRITABLE', `cannot write ${path}: ${errorMessage(error)}; give the user that runs relayd the right to write there, or set dataDir`, { cause: error, data: { key: 'dataDir', file: path } });
  }
}

/**
 * As {@link writeAdminFile}, for a disk that may be full: then no file is there, and none of an earlier daemon either.
 * @returns why it could not be written, `undefined` when it was
 * @throws RelaydError DATA_DIR_UNWRITABLE for any other reason
 */
export async function tryWriteAdminFile(dataDir: string, content: AdminFile): Promise<string | undefined> {
  try {
    await writeAdminFile(dataDir, content);
    return undefined;
  } catch (error) {
    const { code } = (error as Error).cause as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    await rm(adminFilePath(dataDir), { force: true });
    return errorMessage((error as Error).cause);
  }
}

/** Removes the file only while it is the one that `content` was written to: a successor's stays. */
export async function removeAdminFile(dataDir: string, content: AdminFile): Promise<void> {
  const present = await readAdminFile(dataDir).catch(() => undefined);
  if (present?.pid === content.pid && present.token === content.token && present.url === content.url) {
    await rm(adminFilePath(dataDir), { force: true });
  }
}

/**
 * `undefined` when there is no such file.
 * @throws RelaydError FILE_UNREADABLE when it cannot be read or is not what a daemon writes
 */
export async function readAdminFile(dataDir: string): Promise<AdminFile | undefined> {
  const path = adminFilePath(dataDir);
  try {
    return parseAdminFile(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw new RelaydError('FILE_UNREADABLE', `cannot read ${path}: ${errorMessage(error)}`, { data: { file: path } });
  }
}

function parseAdminFile(text: string): AdminFile {
  const { url, token, pid } = JSON.parse(text) as Partial<Record<keyof AdminFile, unknown>>;
  if (typeof url !== 'string' || typeof token !== 'string' || typeof pid !== 'number') {
    throw new Error('not a file that relayd wrote: url, token or pid is missing');
  }
  return { url, token, pid };
}
