import { readFile } from 'node:fs/promises';
import { RelaydError } from '../lib/errors.ts';

/** A key file of a private network: a header of two lines and 64 hex digits (go-ipfs's format). */
const FORMAT = /^\/key\/swarm\/psk\/1\.0\.0\/\s+\/base16\/\s+[0-9a-f]{64}\s*$/i;

/** @throws RelaydError FILE_UNREADABLE when the file is missing or not a swarm key; its content is never in the message */
export async function readSwarmKey(file: string | undefined): Promise<Uint8Array | undefined> {
  if (file === undefined) {
    return undefined;
  }
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new RelaydError('FILE_UNREADABLE', `network.swarmKeyFile: ${file} cannot be read`, { cause });
  });
  if (!FORMAT.test(bytes.toString('utf8'))) {
    throw new RelaydError('FILE_UNREADABLE', `network.swarmKeyFile: ${file} is not a swarm key; it should have the lines /key/swarm/psk/1.0.0/, /base16/ and 64 hex digits`);
  }
  return bytes;
}
