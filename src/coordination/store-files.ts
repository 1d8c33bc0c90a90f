import { readFileSync, statSync } from 'node:fs';
import type { StoreTlsConfig } from '../config/domain.ts';
import { certificateKeyProblem, certificateProblem } from '../lib/certificate.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { passwordProblem } from '../lib/secret-files.ts';
import type { SecretFile, SecretProblem } from '../lib/secret-files.ts';

/** What the files hold by which a relay shows itself to a store, and knows the store: as text, in PEM. */
export interface StoreTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** @param store as the configuration calls it: `coordination.redis`. @throws RelaydError FILE_UNREADABLE that names the key and the file; what is in a file is never in the message */
export function readStoreTls(store: string, { caFile, certFile, keyFile }: StoreTlsConfig): StoreTls {
  const asCertificate = ({ path, text }: SecretFile): SecretProblem | undefined => certificateProblem(path, text);
  const ca = contentOf(`${store}.tls.caFile`, caFile, asCertificate);
  const cert = contentOf(`${store}.tls.certFile`, certFile, asCertificate);
  const key = contentOf(`${store}.tls.keyFile`, keyFile, (file) => certificateKeyProblem(file, cert));
  return { ca, cert, key };
}

/** @param key that names the file. @throws RelaydError FILE_UNREADABLE */
export function readPassword(key: string, file: string | undefined): string | undefined {
  return contentOf(key, file, passwordProblem)?.trim();
}

function contentOf(key: string, path: string | undefined, problemOf: (file: SecretFile) => SecretProblem | undefined): string | undefined {
  if (path === undefined) return undefined;
  const file = fileAt(key, path);
  const wrong = problemOf(file);
  if (wrong !== undefined) throw new RelaydError('FILE_UNREADABLE', `${key}: ${wrong.problem}; ${wrong.expected}`, { data: { key, file: path } });
  return file.text;
}

function fileAt(key: string, path: string): SecretFile {
  try {
    return { path, mode: statSync(path).mode, text: readFileSync(path, 'utf8') };
  } catch (cause) {
    throw new RelaydError('FILE_UNREADABLE', `${key}: ${path} cannot be read: ${errorMessage(cause)}`, { data: { key, file: path }, cause });
  }
}
