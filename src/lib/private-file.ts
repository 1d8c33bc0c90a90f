import { randomBytes } from 'node:crypto';
import { link, rename, rm, writeFile } from 'node:fs/promises';

/**
 * Writes a file that its owner alone can read, from its first byte on, and that is never half written: a new file takes the old one's
 * place.
 *
 * @throws Error of the file system; the old file is still there then
 */
export async function writePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  const fresh = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(fresh, content, { mode: 0o600, flag: 'wx', flush: true });
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => {});
    throw error;
  }
}

/**
 * As {@link writePrivateFile}, but only where no file is.
 *
 * @throws Error of the file system; EEXIST when there is one, even one that another process has made a moment ago
 */
export async function createPrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(draft, content, { mode: 0o600, flag: 'wx', flush: true });
    // link, unlike rename, replaces nothing.
    await link(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}
