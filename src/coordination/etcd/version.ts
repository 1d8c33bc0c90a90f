import { peerText } from '../../lib/logger.ts';
import { field } from './messages.ts';

/** The first version whose gateway is at /v3, with all that is asked of it. */
const OLDEST = { major: 3, minor: 4 };

/** @throws Error that says what is there and what would be right */
export function checkVersion(status: number, text: string): void {
  const version = versionIn(text);
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version ?? '') ?? [];
  if (version === undefined || major === undefined || minor === undefined) {
    throw new Error(`no etcd answers there (HTTP ${status} for /version): coordination.etcd.endpoints are the client URLs of etcd's members, such as http://127.0.0.1:2379`);
  }
  if (Number(major) < OLDEST.major || (Number(major) === OLDEST.major && Number(minor) < OLDEST.minor)) {
    throw new Error(`etcd ${peerText(version)} is too old: it has no gateway at /v3; ${OLDEST.major}.${OLDEST.minor} or later is needed`);
  }
}

function versionIn(text: string): string | undefined {
  try {
    const version = field(JSON.parse(text), 'etcdserver');
    return typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}
