import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PeerId, PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RelaydError } from '../lib/errors.ts';
import { makeDir } from '../lib/make-dir.ts';
import { createPrivateFile } from '../lib/private-file.ts';

export interface Identity {
  readonly privateKey: PrivateKey;
  readonly peerId: PeerId;
}

/** Permission bits that let anyone but the owner at the key. */
const OTHERS = 0o077;

/**
 * The identity in `keyFile` (libp2p's protobuf of a private key, as go-libp2p writes it), made when there is no such
 * file. An existing file is never replaced.
 *
 * @throws RelaydError IDENTITY_INVALID, FILE_UNREADABLE, FILE_UNWRITABLE
 */
export async function ensureIdentity(keyFile: string): Promise<Identity> {
  return (await exists(keyFile)) ? loadIdentity(keyFile) : createIdentity(keyFile);
}

/** @throws RelaydError IDENTITY_INVALID when others may read it or it is damaged, FILE_UNREADABLE otherwise */
export async function loadIdentity(keyFile: string): Promise<Identity> {
  await checkMode(keyFile);
  const bytes = await readKeyFile(keyFile);
  try {
    return await decodeIdentity(bytes);
  } catch (cause) {
    throw new RelaydError(
      'IDENTITY_INVALID',
      `identity.keyFile: ${keyFile} (${bytes.byteLength} bytes) does not hold a libp2p private key; restore it from a backup, or move it away to have a new identity made`,
      { cause },
    );
  }
}

/**
 * The identity whose key libp2p has written as its protobuf.
 *
 * @throws Error for anything else
 */
export async function decodeIdentity(bytes: Uint8Array): Promise<Identity> {
  const privateKey = privateKeyFromProtobuf(bytes);
  await checkPair(privateKey);
  return identityOf(privateKey);
}

/**
 * Writes a key, a new Ed25519 one unless there is one to keep, with mode 0600: whole or not at all, and only where no file is.
 *
 * @throws RelaydError IDENTITY_INVALID when the file is already there, FILE_UNWRITABLE when it cannot be written
 */
export async function createIdentity(keyFile: string, given?: PrivateKey): Promise<Identity> {
  const privateKey = given ?? (await generateKeyPair('Ed25519'));
  try {
    await makeDir(dirname(keyFile), 0o700);
    // Where another process was faster, its key is not replaced.
    await createPrivateFile(keyFile, privateKeyToProtobuf(privateKey));
  } catch (cause) {
    throw notWritten(keyFile, cause);
  }
  return identityOf(privateKey);
}

/**
 * The file holds both halves of the key and the library does not compare them: with a flipped bit in either, the node would start and
 * every handshake would fail.
 */
async function checkPair(privateKey: PrivateKey): Promise<void> {
  const text = new TextEncoder().encode('p2p-relayd');
  if (!(await privateKey.publicKey.verify(text, await privateKey.sign(text)))) {
    throw new Error('the two halves of the key do not belong together');
  }
}

function identityOf(privateKey: PrivateKey): Identity {
  return { privateKey, peerId: peerIdFromPrivateKey(privateKey) };
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') {
      return false;
    }
    throw unreadable(file, cause);
  }
}

async function checkMode(keyFile: string): Promise<void> {
  const found = await stat(keyFile).catch((cause: unknown) => Promise.reject(unreadable(keyFile, cause)));
  if (!found.isFile()) {
    throw new RelaydError('IDENTITY_INVALID', `identity.keyFile: ${keyFile} is not a file; name the file that holds the key`);
  }
  if ((found.mode & OTHERS) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
    throw new RelaydError('IDENTITY_INVALID', `identity.keyFile: ${keyFile} has mode ${mode}, so others than its owner can use the key; run: chmod 600 ${keyFile}`);
  }
}

async function readKeyFile(keyFile: string): Promise<Uint8Array> {
  try {
    return await readFile(keyFile);
  } catch (cause) {
    throw unreadable(keyFile, cause);
  }
}

function unreadable(file: string, cause: unknown): RelaydError {
  const advice = codeOf(cause) === 'ENOENT' ? 'it does not exist; `relayd key new` makes one' : 'it must be readable by the user that runs relayd';
  return new RelaydError('FILE_UNREADABLE', `identity.keyFile: ${file} cannot be read: ${advice}`, { cause });
}

function notWritten(file: string, cause: unknown): RelaydError {
  if (codeOf(cause) === 'EEXIST') {
    return new RelaydError('IDENTITY_INVALID', `identity.keyFile: ${file} is already there and is never replaced; move it away first to have a new identity`, { cause });
  }
  return new RelaydError('FILE_UNWRITABLE', `identity.keyFile: ${file} cannot be written; its folder must be writable by the user that runs relayd`, { cause });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
