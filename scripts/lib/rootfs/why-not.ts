import { spawnSync } from 'node:child_process';
import { lacking } from '../../../test/support/programs.ts';

/** Why the image cannot be made here, or false. */
export function whyNot(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    return 'this needs Linux and root';
  }
  const missing = lacking('debootstrap', 'unshare', 'nsenter', 'setpriv', 'chroot', 'ip');
  if (missing !== false) {
    return missing;
  }
  const { status, stderr } = spawnSync('unshare', ['--mount', '--pid', '--fork', '--propagation', 'private', 'true'], { encoding: 'utf8' });
  return status === 0 ? false : `namespaces cannot be made here: ${stderr.trim()}`;
}
