import { readFileSync, statSync } from 'node:fs';
import type { RealmConfig } from '../config/domain.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { memberTokenProblem } from '../lib/secret-files.ts';
import { readToken, readTokenBytes } from './token.ts';
import type { TokenFacts } from './token.ts';

/**
 * The token that this node shows to others.
 *
 * @throws RelaydError FILE_UNREADABLE; what is in the file is never in the message
 */
export function readOwnToken(file: string): TokenFacts {
  try {
    const text = readFileSync(file, 'utf8');
    const wrong = memberTokenProblem({ path: file, mode: statSync(file).mode, text });
    if (wrong !== undefined) throw new Error(`${wrong.problem}; ${wrong.expected}`);
    return readToken(text);
  } catch (cause) {
    throw new RelaydError('FILE_UNREADABLE', `realm.tokenFile: ${file} cannot be used: ${errorMessage(cause)}`);
  }
}

/** Why nobody will take it, as far as this node can see; `undefined` when it looks right. */
export function ownTokenProblem(token: TokenFacts, { name, authority }: Pick<RealmConfig, 'name' | 'authority'>, nowWall: number): string | undefined {
  if (token.expiresAtWall <= nowWall) return `it expired on ${new Date(token.expiresAtWall).toISOString()}`;
  if (name !== undefined && token.realm !== name) return `it is of the realm ${token.realm}, and realm.name is ${name}`;
  return authority === undefined || isSignedBy(token, authority) ? undefined : 'realm.authority did not sign it';
}

function isSignedBy(token: TokenFacts, authority: string): boolean {
  try {
    readTokenBytes(token.bytes, authority);
    return true;
  } catch {
    return false;
  }
}
