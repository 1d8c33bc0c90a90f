import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockDir } from '../lib/dir-lock.ts';
import type { DirLock } from '../lib/dir-lock.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { makeDir } from '../lib/make-dir.ts';

/** Where everything about realms is, in a data directory. */
export interface RealmFolder {
  readonly path: string;
  /** The authority's private key. */
  readonly keyFile: string;
  /** What the authority has issued and revoked. */
  readonly issuedFile: string;
  /** The signed list that the authority publishes. */
  readonly revocationFile: string;
  /** The newest list that this node has had, from wherever. */
  readonly seenFile: string;
  /** Which peers have used which bearer token here. */
  readonly bearersFile: string;
}

export function realmFolder(dataDir: string): RealmFolder {
  const path = join(dataDir, 'realm');
  const file = (name: string): string => join(path, name);
  return { path, keyFile: file('authority.key'), issuedFile: file('issued.json'), revocationFile: file('revocations'), seenFile: file('revocations.seen'), bearersFile: file('bearers.json') };
}

/** @throws RelaydError FILE_UNWRITABLE */
export async function makeRealmFolder({ path }: RealmFolder): Promise<void> {
  try {
    await makeDir(path, 0o700);
  } catch (cause) {
    throw new RelaydError('FILE_UNWRITABLE', `${path} cannot be made; its folder must be writable by the user that runs relayd: ${errorMessage(cause)}`, { cause });
  }
}

/** Many times what a command needs that writes two small files; a lock whose process is gone is taken without waiting. */
const LOCK_WITHIN_MS = 10_000;
const LOCK_PAUSE_MS = 20;

/**
 * Runs `work` while no other command changes what the authority keeps: of two that write the same file, the slower would undo what the
 * faster has done. A daemon in the same data directory has a lock of its own, and is not in the way.
 *
 * @throws RelaydError FILE_UNWRITABLE, TIMEOUT, or what `work` throws
 */
export async function locked<T>(folder: RealmFolder, work: () => Promise<T>): Promise<T> {
  const lock = await takeLock(folder);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

async function takeLock({ path }: RealmFolder): Promise<DirLock> {
  const giveUpAt = performance.now() + LOCK_WITHIN_MS;
  for (;;) {
    const lock = await lockDir(path).catch((cause: unknown) => {
      throw new RelaydError('FILE_UNWRITABLE', `${path} cannot be locked; it must be writable by the user that runs relayd: ${errorMessage(cause)}`, { cause });
    });
    if (typeof lock !== 'number') return lock;
    if (performance.now() > giveUpAt) throw new RelaydError('TIMEOUT', `${path} has been in use by process ${lock} for ${LOCK_WITHIN_MS / 1000} s`, { data: { pid: lock } });
    await sleep(LOCK_PAUSE_MS);
  }
}
