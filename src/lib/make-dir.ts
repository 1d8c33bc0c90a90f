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
    await mkdir(dir, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(dir)).isDirectory()) {
      return;
    }
    const parent = dirname(dir);
    if (code !== 'ENOENT' || parent === dir || (await isThere(parent))) {
      throw error;
    }
    await makeDir(parent, mode);
    await mkdir(dir, { mode });
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}
