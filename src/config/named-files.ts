import { Reader } from 'maxmind';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { certificateKeyProblem, certificateProblem } from '../lib/certificate.ts';
import { clusterSecretProblem, memberTokenProblem, passwordProblem, swarmKeyProblem, tokenProblem } from '../lib/secret-files.ts';
import type { SecretFile, SecretProblem } from '../lib/secret-files.ts';
import { problemAt } from './layer.ts';
import type { EffectiveConfig } from './merge.ts';
import { bad } from './parsed.ts';
import type { Bad } from './parsed.ts';
import type { ConfigProblem } from './problem.ts';

/** A file that the config names must be there, readable and what it should be now: later its absence would be a limit or a secret that is silently missing. */
export function fileProblems(effective: EffectiveConfig): ConfigProblem[] {
  return Object.entries(NAMED_FILES).flatMap(([name, check]) => {
    const setting = effective.get(name);
    const wrong = typeof setting?.value === 'string' ? (unreadable(setting.value) ?? check(setting.value, effective)) : undefined;
    return setting === undefined || wrong === undefined ? [] : [problemAt(setting.source, setting.placed.path, 'value', wrong.problem, wrong.expected)];
  });
}

/** Says what is wrong with a file that is there and can be read. */
type FileCheck = (file: string, effective: EffectiveConfig) => Bad | undefined;

/** The keys that name files, and the check that the start would make. `identity.keyFile` is not here: it is made on the first start. */
const NAMED_FILES: Record<string, FileCheck> = {
  'network.websocket.certFile': (file) => asBad(certificateProblem(file, readFileSync(file, 'utf8'))),
  'network.websocket.keyFile': (file, effective) => asBad(certificateKeyProblem(secretFile(file), certificateText('network.websocket.certFile', effective))),
  'network.swarmKeyFile': (file) => asBad(swarmKeyProblem(secretFile(file))),
  'relay.asnFile': (file) => (isAsnDatabase(file) ? undefined : bad(`${file} cannot be read as a MaxMind database`, 'an .mmdb file of AS numbers, such as GeoLite2-ASN.mmdb')),
  'realm.tokenFile': (file) => asBad(memberTokenProblem(secretFile(file))),
  'coordination.secretFile': (file) => asBad(clusterSecretProblem(secretFile(file))),
  ...storeFiles('redis'),
  'coordination.redis.sentinelPasswordFile': (file) => asBad(passwordProblem(secretFile(file))),
  ...storeFiles('etcd'),
  'admin.tokenFile': (file) => asBad(tokenProblem(secretFile(file))),
};

/** How a relay shows itself to a store, and knows the store. */
function storeFiles(store: 'redis' | 'etcd'): Record<string, FileCheck> {
  const [key, cert] = [`coordination.${store}`, `coordination.${store}.tls.certFile`];
  return {
    [`${key}.passwordFile`]: (file) => asBad(passwordProblem(secretFile(file))),
    [`${key}.tls.caFile`]: (file) => asBad(certificateProblem(file, readFileSync(file, 'utf8'))),
    [cert]: (file) => asBad(certificateProblem(file, readFileSync(file, 'utf8'))),
    [`${key}.tls.keyFile`]: (file, effective) => asBad(certificateKeyProblem(secretFile(file), certificateText(cert, effective))),
  };
}

function secretFile(path: string): SecretFile {
  return { path, mode: statSync(path).mode, text: readFileSync(path, 'utf8') };
}

/** For the key that belongs to it; undefined where its own key has the error. */
function certificateText(key: string, effective: EffectiveConfig): string | undefined {
  const file = effective.get(key)?.value;
  return typeof file === 'string' && unreadable(file) === undefined ? readFileSync(file, 'utf8') : undefined;
}

function asBad(wrong: SecretProblem | undefined): Bad | undefined {
  return wrong === undefined ? undefined : bad(wrong.problem, wrong.expected);
}

function isAsnDatabase(file: string): boolean {
  try {
    new Reader(readFileSync(file));
    return true;
  } catch {
    return false;
  }
}

function unreadable(file: string): Bad | undefined {
  try {
    if (!statSync(file).isFile()) {
      return bad(`${file} is not a file`, 'the path of a file');
    }
    closeSync(openSync(file, 'r'));
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    return bad(`${file} ${REASONS[code] ?? `cannot be read (${code})`}`, 'the path of a file that this user can read');
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'cannot be read: permission denied',
  EPERM: 'cannot be read: permission denied',
};
