import { readFile, stat } from 'node:fs/promises';
import { RelaydError } from '../lib/errors.ts';
import { swarmKeyProblem } from '../lib/secret-files.ts';

/** @throws RelaydError FILE_UNREADABLE when the file is missing, open to others, or not a swarm key; its content is never in the message */
export async function readSwarmKey(file: string | undefined): Promise<Uint8Array | undefined> {
  if (file === undefined) {
    return undefined;
  }
  const [{ mode }, bytes] = await Promise.all([stat(file), readFile(file)]).catch((cause: unknown) => {
    throw new RelaydError('FILE_UNREADABLE', `network.swarmKeyFile: ${file} cannot be read`, { cause });
  });
  const wrong = swarmKeyProblem({ path: file, mode, text: bytes.toString('utf8') });
  if (wrong !== undefined) {
    throw new RelaydError('FILE_UNREADABLE', `network.swarmKeyFile: ${wrong.problem}; ${wrong.expected}`);
  }
  return bytes;
}
