import { copyFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Files that the example configs name, which an operator makes. What is in these is good for nothing but checks. */
const FILES = {
  'cluster.secret': `${'0123456789abcdef'.repeat(4)}\n`,
  'redis.password': 'a password for checks\n',
  'etcd.password': 'a password for checks\n',
};

/** Copies a config into `folder`, with the files beside it that it names. Gives the copy's path. */
export function copyConfig(file: string, folder: string): string {
  writeNamedFiles(folder);
  const copy = join(folder, basename(file));
  copyFileSync(file, copy);
  return copy;
}

/** Gives the paths of the files. */
export function writeNamedFiles(folder: string): string[] {
  return Object.entries(FILES).map(([name, text]) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  });
}
