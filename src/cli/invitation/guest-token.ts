import { readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { makeDir } from '../../lib/make-dir.ts';
import { writePrivateFile } from '../../lib/private-file.ts';
import { formatToken } from '../../realm/index.ts';

/**
 * Writes a token where a config's realm.tokenFile finds it, for its owner alone.
 *
 * @returns what takes it away again, if it was not there before
 * @throws RelaydError FILE_UNWRITABLE
 */
export async function writeToken(path: string, token: Uint8Array): Promise<() => Promise<void>> {
  const text = `${formatToken(token)}\n`;
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) {
    return () => Promise.resolve();
  }
  try {
    await makeDir(dirname(path), 0o700);
    await writePrivateFile(path, text);
  } catch (cause) {
    throw new RelaydError('FILE_UNWRITABLE', `cannot write ${path}: ${errorMessage(cause)}`, { cause });
  }
  return () => rm(path, { force: true });
}
