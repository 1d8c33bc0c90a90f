import { X509Certificate } from 'node:crypto';
import { access, constants, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RelaydConfig } from '../../config/domain.ts';
import type { CertificateFacts, DataDirFacts, FileFacts, KeyFacts, TokenFacts } from '../../doctor/index.ts';
import { errorMessage } from '../../lib/errors.ts';

/** File systems by the numbers that Linux gives them (statfs(2)). */
const TMPFS = 0x01021994;
const RAMFS = 0x858458f6;
const OVERLAYFS = 0x794c7630;

/** What lies on this machine: keys, records, and the disk under them. */
export async function fileFacts(config: RelaydConfig): Promise<FileFacts> {
  const { readBackupRecord } = await import('../../node/identity-backup.ts');
  const { dataDir, identity, network, realm } = config;
  return {
    key: await keyFacts(identity.keyFile),
    backup: await readBackupRecord(dataDir),
    dataDir: await dataDirFacts(dataDir),
    token: realm.tokenFile === undefined ? undefined : await tokenFacts(realm.tokenFile, realm.authority),
    hasAuthorityKey: await isThere(join(dataDir, 'realm', 'authority.key')),
    certificate: network.websocket.certFile === undefined ? undefined : await certificateFacts(network.websocket.certFile),
  };
}

async function keyFacts(keyFile: string): Promise<KeyFacts> {
  const { loadIdentity } = await import('../../node/identity.ts');
  try {
    return { state: 'good', peerId: (await loadIdentity(keyFile)).peerId.toString() };
  } catch (error) {
    return codeOf((error as Error).cause) === 'ENOENT' ? { state: 'missing' } : { state: 'bad', problem: errorMessage(error) };
  }
}

async function tokenFacts(file: string, authority: string | undefined): Promise<TokenFacts> {
  const { readToken } = await import('../../realm/index.ts');
  try {
    const { realm, peer, expiresAtWall, notBeforeWall } = readToken(await readFile(file, 'utf8'), authority);
    return { problem: undefined, realm, peer, expiresAtMs: expiresAtWall, notBeforeMs: notBeforeWall };
  } catch (error) {
    return { problem: `${file}: ${errorMessage(error)}` };
  }
}

async function certificateFacts(file: string): Promise<CertificateFacts> {
  try {
    return { file, problem: undefined, expiresAtMs: Date.parse(new X509Certificate(await readFile(file)).validTo) };
  } catch (error) {
    return { file, problem: errorMessage(error) };
  }
}

/** Of a folder that is yet to be made, what counts is the one that it will be made in. */
async function dataDirFacts(path: string): Promise<DataDirFacts> {
  const nearest = await nearestFolder(path);
  const { bavail, blocks, bsize, type } = await statfs(nearest);
  const exists = nearest === path;
  return {
    path,
    exists,
    unwritable: (await stat(nearest)).isDirectory() ? await access(nearest, constants.W_OK | constants.X_OK).then(() => undefined, whyUnwritable) : 'it is not a folder',
    mode: exists ? (await stat(path)).mode : undefined,
    freeBytes: bavail * bsize,
    totalBytes: blocks * bsize,
    lasts: type === TMPFS || type === RAMFS ? 'until restart' : type === OVERLAYFS && (await isContainer()) ? 'as long as the container' : 'always',
  };
}

function whyUnwritable(error: unknown): string {
  return codeOf(error) === 'EROFS' ? 'the file system is read-only' : 'this user may not';
}

async function nearestFolder(path: string): Promise<string> {
  const parent = dirname(path);
  return (await isThere(path)) || parent === path ? path : nearestFolder(parent);
}

/** Live systems have overlays too, and mean them. */
async function isContainer(): Promise<boolean> {
  return (await isThere('/.dockerenv')) || (await isThere('/run/.containerenv'));
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
