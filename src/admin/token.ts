import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { errorMessage, RelaydError } from '../lib/errors.ts';
import { tokenProblem } from '../lib/secret-files.ts';

const RANDOM_TOKEN_BYTES = 32;

export function randomToken(): string {
  return randomBytes(RANDOM_TOKEN_BYTES).toString('base64url');
}

/**
 * The token in an operator's file, without white space around it.
 * @throws RelaydError FILE_UNREADABLE, CONFIG_INVALID (too short, characters that no header carries, open to everyone)
 */
export async function readTokenFile(file: string): Promise<string> {
  const [{ mode }, text] = await Promise.all([stat(file), readFile(file, 'utf8')]).catch((cause: unknown) => {
    throw new RelaydError('FILE_UNREADABLE', `admin.tokenFile: cannot read ${file}: ${errorMessage(cause)}`, { cause, data: { key: 'admin.tokenFile', file } });
  });
  const wrong = tokenProblem({ path: file, mode, text });
  if (wrong !== undefined) {
    throw new RelaydError('CONFIG_INVALID', `admin.tokenFile: ${wrong.problem}; ${wrong.expected}`, { data: { key: 'admin.tokenFile', file } });
  }
  return text.trim();
}

/** Takes the same time whatever `given` is: its digest is compared, not itself. */
export function sameToken(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
