import { randomBytes } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { makeDir } from '../../lib/make-dir.ts';

/** A config file as a person would write it: nothing in it that has a default. */
export function configText(comment: readonly string[], tree: Readonly<Record<string, unknown>>): string {
  return `${comment.map((line) => `# ${line}\n`).join('')}${stringify(tree, { lineWidth: 0 })}`;
}

/**
 * Writes a file whole or not at all, and only where none is. Only its owner can read it: it names his services.
 *
 * @throws RelaydError FILE_UNWRITABLE
 */
export async function writeNewFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await makeDir(dirname(path), 0o700);
    await writeFile(draft, text, { mode: 0o600, flag: 'wx', flush: true });
    // link, unlike rename, fails where a file has come meanwhile.
    await link(draft, path);
  } catch (cause) {
    throw new RelaydError('FILE_UNWRITABLE', `cannot write ${path}: ${errorMessage(cause)}`, { cause });
  } finally {
    await rm(draft, { force: true });
  }
}
