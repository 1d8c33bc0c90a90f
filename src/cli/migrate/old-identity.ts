import { readFile } from 'node:fs/promises';
import { RelaydError } from '../../lib/errors.ts';
import { decodeIdentity } from '../../node/identity.ts';
import type { Identity } from '../../node/identity.ts';

/**
 * The key file of the Go relay daemon: the protobuf that this program writes too, of any key type that libp2p has.
 *
 * @throws RelaydError FILE_UNREADABLE, IDENTITY_INVALID
 */
export async function readOldIdentity(file: string): Promise<Identity> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new RelaydError('FILE_UNREADABLE', `--identity: ${file} cannot be read; it must be there, and readable by the user that runs this`, { cause });
  });
  try {
    return await decodeIdentity(bytes);
  } catch (cause) {
    throw new RelaydError('IDENTITY_INVALID', `--identity: ${file} (${bytes.byteLength} bytes) does not hold a libp2p private key; the old daemon's is called "identity" unless its -id option named another`, { cause });
  }
}
