import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the laboratory runs, and the Debian package that brings it. */
const TOOLS = { ip: 'iproute2', tc: 'iproute2', nft: 'nftables' };

/** Where Debian keeps them; root's PATH may be without it. */
const SYSTEM_DIRS = ['/usr/sbin', '/sbin'];

/** For a test's `skip`: why no network namespaces can be made here, or false. */
export function noNamespaces(): string | false {
  if (process.platform !== 'linux') return 'network namespaces are Linux only';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const absent = Object.entries(TOOLS).find(([tool]) => toolPath(tool) === undefined);
  if (absent !== undefined) return `${absent[0]} is not installed: apt-get install ${absent[1]}`;
  return refused();
}

export function toolPath(tool: string): string | undefined {
  const dirs = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_DIRS];
  return dirs.map((dir) => join(dir, tool)).find(isExecutable);
}

/** Root in a container may be without the right to make any. */
function refused(): string | false {
  const { status, stderr } = spawnSync('unshare', ['--net', 'true'], { encoding: 'utf8' });
  return status === 0 ? false : `network namespaces cannot be made here: ${stderr?.trim() ?? 'unshare is not installed'}`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
