import { readFile, stat } from 'node:fs/promises';
import { RelaydError } from '../lib/errors.ts';
import { clusterSecretProblem } from '../lib/secret-files.ts';

/** The 64 hex digits in `coordination.secretFile`. @throws RelaydError FILE_UNREADABLE when it is missing, open to others, or holds anything else */
export async function readClusterSecret(file: string | undefined): Promise<string> {
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
  return text.trim();
}
