import type { DataDirFacts, Facts } from './facts.ts';
import { failed, ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** The data directory and the disk under it. */

const MIB = 1024 * 1024;

/** Identity, admin.json and the relay cache together are a few hundred kilobytes; below this, logs of the machine fill the rest soon. */
const FULL_BYTES = 16 * MIB;
const NEARLY_FULL_BYTES = 256 * MIB;

const OTHERS = 0o077;

export function checkDataDir({ files }: Facts): Item | undefined {
  if (files === undefined) {
    return undefined;
  }
  const { path, unwritable, lasts } = files.dataDir;
  if (unwritable !== undefined) {
    return failed('data-dir', `${path} cannot be written to: ${unwritable}`, 'give it to the user that runs relayd, or set another dataDir');
  }
  if (lasts !== 'always') {
    return warning('data-dir', `${path} ${GONE[lasts]}: with it goes the identity key, and the peer id that others know`, lasts === 'until restart' ? 'set dataDir to a folder on a disk' : 'mount a volume at dataDir (docker run --volume relayd:/var/lib/relayd)');
  }
  return openness(files.dataDir) ?? ok('data-dir', files.dataDir.exists ? path : `${path} is made at the first start`);
}

const GONE = { 'until restart': 'is in memory (tmpfs) and gone with the next restart of the machine', 'as long as the container': "is in the container's own layer and gone with the container" };

function openness({ path, mode }: DataDirFacts): Item | undefined {
  return mode === undefined || (mode & OTHERS) === 0 ? undefined : warning('data-dir', `${path} has mode ${(mode & 0o777).toString(8).padStart(4, '0')}: other users of this machine can look into it`, `chmod 700 ${path}`);
}

export function checkDiskSpace({ files }: Facts): Item | undefined {
  if (files === undefined) {
    return undefined;
  }
  const { path, freeBytes, totalBytes } = files.dataDir;
  const reason = `${Math.floor(freeBytes / MIB)} MiB of ${Math.floor(totalBytes / MIB)} MiB free at ${path}`;
  const advice = 'make room, or set dataDir to another disk';
  if (freeBytes < FULL_BYTES) {
    return failed('disk-space', `${reason}: state can no longer be written`, advice);
  }
  return freeBytes < NEARLY_FULL_BYTES ? warning('disk-space', reason, advice) : ok('disk-space', reason);
}
