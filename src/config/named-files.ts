import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { problemAt } from './layer.ts';
import type { EffectiveConfig } from './merge.ts';
import { bad } from './parsed.ts';
import type { Bad } from './parsed.ts';
import type { ConfigProblem } from './problem.ts';

/** A file that the config names must be there and readable now: later its absence would be a limit or a secret that is silently missing. */
export function fileProblems(effective: EffectiveConfig): ConfigProblem[] {
  return Object.entries(NAMED_FILES).flatMap(([name, check]) => {
    const setting = effective.get(name);
    const wrong = typeof setting?.value === 'string' ? (unreadable(setting.value) ?? check(setting.value)) : undefined;
    return setting === undefined || wrong === undefined ? [] : [problemAt(setting.source, setting.placed.path, 'value', wrong.problem, wrong.expected)];
  });
}

/** The keys that name files, and what each must begin with or hold. `identity.keyFile` is not here: it is made on the first start. */
const NAMED_FILES: Record<string, (file: string) => Bad | undefined> = {
  'network.swarmKeyFile': (file) => (head(file).startsWith('/key/swarm/psk/1.0.0/') ? undefined : bad(`${file} is not a swarm key`, 'a file that begins with /key/swarm/psk/1.0.0/')),
  'relay.asnFile': () => undefined,
  'admin.tokenFile': (file) => (head(file).trim() === '' ? bad(`${file} is empty`, 'a file with the token in it') : undefined),
};

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

/** The first bytes of a file that was just found readable. */
function head(file: string): string {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(256);
    return bytes.toString('utf8', 0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}
