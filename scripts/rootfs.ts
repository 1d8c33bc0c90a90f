import { mkdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildImage, withBuildDir } from './lib/rootfs/build.ts';
import { parseDockerfile } from './lib/rootfs/dockerfile.ts';
import { killAllInside } from './lib/rootfs/inside.ts';
import { proveImage } from './lib/rootfs/prove.ts';
import { sweep } from './lib/rootfs/base.ts';
import { cgroupMount, proveUnit } from './lib/rootfs/systemd.ts';
import { whyNot } from './lib/rootfs/why-not.ts';
import { errorMessage } from '../src/lib/errors.ts';
import { killAll } from './lib/processes.ts';

/** The program behind `scripts/rootfs`, which has set up Node and the packages. */

const USAGE = `usage: scripts/rootfs

Runs the steps of the Dockerfile, in order, in a tree of Debian that debootstrap makes, then the command of the image: a relay comes up as
the image's user, its health check passes, a client outside reserves, and SIGTERM drains it. Then systemd is added to the tree, and starts
the unit of configs/systemd. Needs root, debootstrap, unshare, nsenter, ip,
and Debian's mirror; the bare system is kept in .cache/rootfs.`;

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE_DIR = join(ROOT, '.cache/rootfs');

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  const reason = whyNot();
  if (reason !== false) {
    console.error(`scripts/rootfs: ${reason}`);
    return 1;
  }
  await mkdir(CACHE_DIR, { recursive: true });
  await sweep(CACHE_DIR);
  const startedAt = Date.now();
  const log = (text: string): void => console.log(`${String(Math.round((Date.now() - startedAt) / 1000)).padStart(4)} s  ${text}`);
  const stages = parseDockerfile(await readFile(join(ROOT, 'Dockerfile'), 'utf8'));
  await withBuildDir(tmpdir(), async (dir) => {
    const image = await buildImage(stages, { context: ROOT, dir, cacheDir: CACHE_DIR, log });
    await proveImage(image, dir, log);
    if (cgroupMount() === undefined) {
      log('the systemd unit is not started: there is no cgroup of version 2 here');
    } else {
      await proveUnit(image, await readFile(join(ROOT, 'docs/install/systemd.md'), 'utf8'), log);
    }
  });
  log('done');
  return 0;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    // What waits for them fails, and the folders are removed on the way out.
    killAll();
    void killAllInside();
    console.error(`interrupted by ${signal}`);
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`scripts/rootfs: ${errorMessage(error)}`);
  process.exitCode = 1;
}
