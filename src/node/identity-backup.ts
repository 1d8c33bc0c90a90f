import { open, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { makeDir } from '../lib/make-dir.ts';
import { writePrivateFile } from '../lib/private-file.ts';
import { loadIdentity } from './identity.ts';

/** That there is a copy of the identity key somewhere: what `relayd doctor` looks for. The copy itself may be out of reach, as it should be. */
export interface IdentityBackup {
  /** Of the key that was copied. */
  readonly peerId: string;
  /** ISO 8601. */
  readonly at: string;
  /** Where the copy was written, which need not be where it is now. */
  readonly file: string;
}

export interface BackupResult extends IdentityBackup {
  /** The copy is on the very disk that the key is on. */
  readonly sameDisk: boolean;
}

/**
 * Copies the identity key to `target` (mode 0600, whole or not at all, never over another file), and notes that it did in the data directory.
 *
 * @throws RelaydError IDENTITY_INVALID, FILE_UNREADABLE for the key; FILE_UNWRITABLE when `target` is there with another content, is the key itself, or
 * cannot be written; DATA_DIR_UNWRITABLE when the copy is made and cannot be noted
 */
export async function backUpIdentity(keyFile: string, dataDir: string, target: string): Promise<BackupResult> {
  const { peerId } = await loadIdentity(keyFile);
  const file = resolve(target);
  await copyKey(keyFile, file);
  const record: IdentityBackup = { peerId: peerId.toString(), at: new Date().toISOString(), file };
  try {
    await writePrivateFile(recordPath(dataDir), `${JSON.stringify(record)}\n`);
  } catch (cause) {
    throw new RelaydError('DATA_DIR_UNWRITABLE', `the key is copied to ${file}, but ${recordPath(dataDir)} cannot be written, so that relayd doctor will not know of it: ${errorMessage(cause)}`, { cause });
  }
  return { ...record, sameDisk: (await stat(keyFile)).dev === (await stat(file)).dev };
}

/** The record of the last copy; `undefined` where there is none that can be read. */
export async function readBackupRecord(dataDir: string): Promise<IdentityBackup | undefined> {
  try {
    const { peerId, at, file } = JSON.parse(await readFile(recordPath(dataDir), 'utf8')) as Partial<Record<keyof IdentityBackup, unknown>>;
    return typeof peerId === 'string' && typeof at === 'string' && typeof file === 'string' ? { peerId, at, file } : undefined;
  } catch {
    return undefined; // Whoever has no record has no backup to show.
  }
}

function recordPath(dataDir: string): string {
  return join(dataDir, 'identity-backup.json');
}

/** A copy that is there already, of the same key, is as good as a new one; the key itself, by whatever name, is no copy. */
async function copyKey(keyFile: string, file: string): Promise<void> {
  const key = await readFile(keyFile);
  if (await isSameFile(keyFile, file)) {
    throw new RelaydError('FILE_UNWRITABLE', `${file} is the key itself: what takes one away takes the other; name a new file, best on another disk`);
  }
  // Of a device there is no end to be read.
  if ((await stat(file).catch(() => undefined))?.isFile() === false) {
    throw new RelaydError('FILE_UNWRITABLE', `${file} is not a file; name a new one`);
  }
  const present = await readFile(file).catch(() => undefined);
  if (present?.equals(key) === true) {
    return;
  }
  if (present !== undefined) {
    throw new RelaydError('FILE_UNWRITABLE', `${file} is already there and holds something else; name a new file`);
  }
  try {
    await makeDir(dirname(file), 0o700);
    await writeNew(file, key);
  } catch (cause) {
    throw new RelaydError('FILE_UNWRITABLE', `the copy cannot be written to ${file}: ${errorMessage(cause)}`, { cause });
  }
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = [await stat(a, { bigint: true }), await stat(b, { bigint: true }).catch(() => undefined)];
  return one.dev === other?.dev && one.ino === other.ino;
}

async function writeNew(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}
