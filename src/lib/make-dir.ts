import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes `dir` and the folders above it, each with `mode`. Node's own recursive mkdir never returns where the file system answers
 * ENOENT for a folder that is there but takes none (/proc).
 *
 * @throws Error of the file system
 */
export async function makeDir(dir: string, mode: number): Promise<void> {
  try {
    await makeOne(dir, mode);
  } catch (error) {
    const parent = dirname(dir);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === dir) {
      throw error;
    }
    // One that is there by now, another has just made.
    if (!(await isThere(parent))) await makeDir(parent, mode);
    await makeOne(dir, mode);
  }
}

async function makeOne(dir: string, mode: number): Promise<void> {
  try {
    await mkdir(dir, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !(await stat(dir)).isDirectory()) throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}
