import type { EtcdConfig } from '../../config/domain.ts';
import { readPassword, readStoreTls } from '../store-files.ts';
import type { StoreTls } from '../store-files.ts';

/** What the configuration's files hold. */
export interface Credentials {
  readonly tls: StoreTls;
  readonly user: { readonly name: string; readonly password: string } | undefined;
}

/** @throws RelaydError FILE_UNREADABLE that names the key and the file */
export function readCredentials({ tls, username, passwordFile }: EtcdConfig): Credentials {
  const password = readPassword('coordination.etcd.passwordFile', passwordFile);
  return {
    tls: readStoreTls('coordination.etcd', tls),
    user: username === undefined ? undefined : { name: username, password: password ?? '' },
  };
}
