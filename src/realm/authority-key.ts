import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { formatRealmKey } from '../lib/membership/realm-key.ts';
import { createPrivateFile } from '../lib/private-file.ts';

/** What signs the tokens of a realm. */
export interface AuthorityKey {
  readonly privateKey: KeyObject;
  /** `ed25519:…` */
  readonly publicKey: string;
}

/** Permission bits that let anyone but the owner at the key. */
const OTHERS = 0o077;

/**
 * Makes a key and writes it (PKCS #8, PEM) with mode 0600, whole or not at all, and only where no file is.
 *
 * @throws RelaydError REALM_EXISTS, FILE_UNWRITABLE
 */
export async function createAuthorityKey(file: string): Promise<AuthorityKey> {
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    await createPrivateFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw realmExists(file, cause);
    throw new RelaydError('FILE_UNWRITABLE', `${file} cannot be written; its folder must be writable by the user that runs relayd: ${errorMessage(cause)}`, { cause });
  }
  return authorityKey(privateKey);
}

export function realmExists(file: string, cause?: unknown): RelaydError {
  return new RelaydError('REALM_EXISTS', `${file} is there already: this data directory has a realm, and its key is never replaced; \`relayd realm list\` shows the realm, another dataDir has room for another`, { cause });
}

/** @throws RelaydError REALM_MISSING when there is no such file; FILE_UNREADABLE when it is damaged, or others may read it */
export async function readAuthorityKey(file: string): Promise<AuthorityKey> {
  const { mode, text } = await readPrivate(file);
  if ((mode & OTHERS) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, '0');
    throw new RelaydError('FILE_UNREADABLE', `${file} has mode ${octal}, so others than its owner can make members of this realm; run: chmod 600 ${file}`);
  }
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType !== 'ed25519') throw new Error(`a key of type ${String(key.asymmetricKeyType)}`);
    return authorityKey(key);
  } catch (cause) {
    // Not the cause's text: it may quote what is in the file.
    throw new RelaydError('FILE_UNREADABLE', `${file} (${text.length} bytes) does not hold the key of a realm's authority; restore it from a backup`, { data: { cause: (cause as NodeJS.ErrnoException).code ?? 'not Ed25519' } });
  }
}

async function readPrivate(file: string): Promise<{ mode: number; text: string }> {
  try {
    const [{ mode }, text] = await Promise.all([stat(file), readFile(file, 'utf8')]);
    return { mode, text };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new RelaydError('REALM_MISSING', `${file} does not exist: no realm was made in this data directory; \`relayd realm init --name NAME\` makes one`, { cause });
    }
    throw new RelaydError('FILE_UNREADABLE', `${file} cannot be read; it must be a file that the user who runs relayd can read`, { cause });
  }
}

function authorityKey(privateKey: KeyObject): AuthorityKey {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return { privateKey, publicKey: formatRealmKey(Buffer.from(x, 'base64url')) };
}
