import { readFile, stat } from 'node:fs/promises';
import { RelaydError } from '../lib/errors.ts';
import { clusterSecretProblem, clusterSecrets } from '../lib/secret-files.ts';

/**
 * The secrets in `coordination.secretFile`, each of 64 hex digits; the first is the one to speak with.
 *
 * @throws RelaydError FILE_UNREADABLE when it is missing, open to others, or holds anything else
 */
export async function readClusterSecrets(file: string | undefined): Promise<string[]> {
  if (file === undefined) {
    throw new RelaydError('FILE_UNREADABLE', 'coordination.secretFile is not set: name the file with the secret that all relays of the cluster share');
  }
  const [{ mode }, text] = await Promise.all([stat(file), readFile(file, 'utf8')]).catch((cause: unknown) => {
    throw new RelaydError('FILE_UNREADABLE', `coordination.secretFile: ${file} cannot be read`, { cause });
  });
  const bad = clusterSecretProblem({ path: file, mode, text });
  if (bad !== undefined) {
    throw new RelaydError('FILE_UNREADABLE', `coordination.secretFile: ${bad.problem}; ${bad.expected}`);
  }
  return clusterSecrets(text);
}
