import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { errorMessage, RelaydError } from '../lib/errors.ts';

/** Short enough to type, long enough not to be guessed over HTTP. */
const MIN_TOKEN_CHARS = 16;
const RANDOM_TOKEN_BYTES = 32;
/** Read or write for people outside the owner and the group. */
const OTHERS = 0o006;

export function randomToken(): string {
  return randomBytes(RANDOM_TOKEN_BYTES).toString('base64url');
}

/**
 * The token in an operator's file, without white space around it.
 * @throws RelaydError FILE_UNREADABLE, CONFIG_INVALID (too short, characters that no header carries, open to everyone)
 */
export async function readTokenFile(file: string): Promise<string> {
  const token = (await readText(file)).trim();
  if (token.length < MIN_TOKEN_CHARS) {
    throw invalid(file, `has ${token.length} characters; a token has at least ${MIN_TOKEN_CHARS} (openssl rand -hex 32 makes a good one)`);
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw invalid(file, 'has characters that an Authorization header cannot carry; use printable ASCII without spaces');
  }
  return token;
}

async function readText(file: string): Promise<string> {
  try {
    if (((await stat(file)).mode & OTHERS) !== 0) {
      throw invalid(file, 'can be read by every user of this machine; chmod 600 it');
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof RelaydError) throw error;
    throw new RelaydError('FILE_UNREADABLE', `admin.tokenFile: cannot read ${file}: ${errorMessage(error)}`, { cause: error, data: { key: 'admin.tokenFile', file } });
  }
}

function invalid(file: string, problem: string): RelaydError {
  return new RelaydError('CONFIG_INVALID', `admin.tokenFile: ${file} ${problem}`, { data: { key: 'admin.tokenFile', file } });
}

/** Takes the same time whatever `given` is: its digest is compared, not itself. */
export function sameToken(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
