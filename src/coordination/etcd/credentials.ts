import { readFileSync, statSync } from 'node:fs';
import type { EtcdConfig } from '../../config/domain.ts';
import type { SecretFile, SecretProblem } from '../../lib/secret-files.ts';
import { RelaydError, errorMessage } from '../../lib/errors.ts';
import { openToEveryone, passwordProblem } from '../../lib/secret-files.ts';

/** What the configuration's files hold. */
export interface Credentials {
  readonly tls: { readonly ca: string | undefined; readonly cert: string | undefined; readonly key: string | undefined };
  readonly user: { readonly name: string; readonly password: string } | undefined;
}

/** @throws RelaydError FILE_UNREADABLE that names the key and the file; what is in a file is never in the message */
export function readCredentials({ tls, username, passwordFile }: EtcdConfig): Credentials {
  const password = passwordFile === undefined ? undefined : readSecret('coordination.etcd.passwordFile', passwordFile, passwordProblem);
  return {
    tls: {
      ca: tls.caFile === undefined ? undefined : read('coordination.etcd.tls.caFile', tls.caFile),
      cert: tls.certFile === undefined ? undefined : read('coordination.etcd.tls.certFile', tls.certFile),
      key: tls.keyFile === undefined ? undefined : readSecret('coordination.etcd.tls.keyFile', tls.keyFile, ({ path, mode }) => openToEveryone(path, mode, 'key')),
    },
    user: username === undefined ? undefined : { name: username, password: password?.trim() ?? '' },
  };
}

function readSecret(key: string, file: string, problemOf: (file: SecretFile) => SecretProblem | undefined): string {
  const text = read(key, file);
  const wrong = problemOf({ path: file, mode: statSync(file).mode, text });
  if (wrong !== undefined) throw new RelaydError('FILE_UNREADABLE', `${key}: ${wrong.problem}; ${wrong.expected}`, { data: { key, file } });
  return text;
}

function read(key: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new RelaydError('FILE_UNREADABLE', `${key}: ${file} cannot be read: ${errorMessage(cause)}`, { data: { key, file } });
  }
}
