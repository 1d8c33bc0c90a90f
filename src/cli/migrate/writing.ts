import { open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RelaydError } from '../../lib/errors.ts';
import { makeDir } from '../../lib/make-dir.ts';
import { createIdentity } from '../../node/identity.ts';
import type { PlannedMigration } from './planning.ts';

/**
 * Writes the config and the key; neither where a file is.
 *
 * @throws RelaydError IDENTITY_INVALID or FILE_UNWRITABLE; then nothing has been written
 */
export async function writeMigration({ identity, keyFile, configFile, configText }: PlannedMigration): Promise<void> {
  await writeNew(configFile, configText);
  try {
    if (identity !== undefined) {
      await createIdentity(keyFile, identity.privateKey);
    }
  } catch (error) {
    await rm(configFile, { force: true });
    throw error;
  }
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await makeDir(dirname(file), 0o755);
    const handle = await open(file, 'wx', 0o644);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new RelaydError('FILE_UNWRITABLE', `--config: ${file} cannot be written: its folder must be one that this user can write to`, { cause });
  }
}
