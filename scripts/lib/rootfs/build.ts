import { copyFile, cp, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { baseImage, unpack } from './base.ts';
import { succeed } from './commands.ts';
import { assignments, execForm } from './dockerfile.ts';
import type { Stage, Step } from './dockerfile.ts';

/** What `docker inspect` would show, as far as running the image needs it. */
export interface Image {
  readonly root: string;
  readonly env: Record<string, string>;
  readonly user: string;
  readonly workdir: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly healthcheck: readonly string[];
  readonly stopSignal: string;
  readonly volumes: readonly string[];
}

export interface BuildOptions {
  /** The folder that COPY copies from. */
  readonly context: string;
  /** Where the trees of the stages go. */
  readonly dir: string;
  readonly cacheDir: string;
  readonly log: (text: string) => void;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs every step of every stage, in order. @throws Error that names the step */
export async function buildImage(stages: readonly Stage[], options: BuildOptions): Promise<Image> {
  const built = new Map<string, Image>();
  let image: Image | undefined;
  for (const [index, stage] of stages.entries()) {
    const root = join(options.dir, `stage-${index}`);
    options.log(`FROM ${stage.from}`);
    await unpack(await baseImage(stage.from, options.cacheDir), root);
    image = await runStage(stage, { root, env: { PATH }, user: 'root', workdir: '/', entrypoint: [], cmd: [], healthcheck: [], stopSignal: 'SIGTERM', volumes: [] }, built, options);
    built.set(stage.name ?? String(index), image);
  }
  if (image === undefined) {
    throw new Error('the Dockerfile has no FROM');
  }
  return image;
}

async function runStage(stage: Stage, start: Image, built: ReadonlyMap<string, Image>, options: BuildOptions): Promise<Image> {
  let image = start;
  for (const step of stage.steps) {
    options.log(`${step.name} ${step.rest}`);
    try {
      image = { ...image, ...(await runStep(step, image, built, options)) };
    } catch (error) {
      throw new Error(`Dockerfile:${step.line}: ${step.name} failed`, { cause: error });
    }
  }
  return image;
}

/** What the step changes in the image's settings; what it changes in the tree is done. */
async function runStep(step: Step, image: Image, built: ReadonlyMap<string, Image>, options: BuildOptions): Promise<Partial<Image>> {
  switch (step.name) {
    case 'RUN':
      await runInside(image, step.rest);
      return {};
    case 'COPY':
      await copy(step, image, built, options.context);
      return {};
    case 'WORKDIR':
      await mkdir(join(image.root, step.rest), { recursive: true });
      return { workdir: resolve(image.workdir, step.rest) };
    case 'ENV':
      return { env: { ...image.env, ...Object.fromEntries(assignments(step.rest)) } };
    case 'USER':
      return { user: step.rest };
    case 'VOLUME':
      return { volumes: [...image.volumes, step.rest] };
    case 'STOPSIGNAL':
      return { stopSignal: step.rest };
    case 'ENTRYPOINT':
      return { entrypoint: execForm(step) };
    case 'CMD':
      return { cmd: execForm(step) };
    case 'HEALTHCHECK':
      return { healthcheck: execForm(step) };
    case 'LABEL':
    case 'EXPOSE':
      // Said to people; nothing happens.
      return {};
    default:
      throw new Error('no such instruction is known here');
  }
}

/** Copies from the context, or from an earlier stage: a folder's contents, or files into a folder, as COPY does. */
async function copy(step: Step, image: Image, built: ReadonlyMap<string, Image>, context: string): Promise<void> {
  const words = step.rest.split(/\s+/);
  const stage = words[0]?.startsWith('--from=') === true ? words.shift()?.slice('--from='.length) : undefined;
  const from = stage === undefined ? context : built.get(stage)?.root;
  const target = words.pop() ?? '';
  if (from === undefined) {
    throw new Error(`there is no stage ${stage}`);
  }
  for (const source of words) {
    const path = join(from, source);
    const to = join(image.root, resolve(image.workdir, target));
    const isFolder = (await stat(path)).isDirectory();
    await cp(path, isFolder || !target.endsWith('/') ? to : join(to, basename(source)), { recursive: true, verbatimSymlinks: true, filter: (file) => isFolder || file === path });
  }
}

/** Files of the building machine that a step may need to reach a registry, as an engine passes them on. */
const PASSED_ON = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'npm_config_registry', 'NODE_EXTRA_CA_CERTS'];

/**
 * Runs a command in the tree, as root, with a /proc and processes of its own. Whatever is mounted is so in a namespace that ends with
 * the command, however it ends. npm's cache is the machine's, as with a cache mount: what is there need not be fetched again.
 */
export async function runInside(image: Image, command: string): Promise<void> {
  await copyFile('/etc/resolv.conf', join(image.root, 'etc/resolv.conf'));
  const cache = (await succeed('npm', ['config', 'get', 'cache'])).stdout.trim();
  const certificates = process.env['NODE_EXTRA_CA_CERTS'];
  const binds = [[cache, '/root/.npm'], ...(certificates === undefined || !existsSync(certificates) ? [] : [[certificates, certificates]])];
  await mkdir(cache, { recursive: true });
  const passed = Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  const env = { HOME: '/root', npm_config_prefer_offline: 'true', ...passed, ...image.env };
  await succeed('unshare', ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', 'sh', '-euc', ENTER, 'sh', image.root, image.workdir, command, ...binds.flat().map(String)], { env });
}

/** $1 the tree, $2 the folder, $3 the command, then pairs of what is mounted where. */
const ENTER = `
root=$1 workdir=$2 command=$3; shift 3
mount -t proc proc "$root/proc"
while [ $# -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$(dirname "$root$2")"; [ -e "$root$2" ] || : >"$root$2"; fi
  mount --bind "$1" "$root$2"
  shift 2
done
exec chroot "$root" /bin/sh -c 'cd "$1" && exec /bin/sh -c "$2"' sh "$workdir" "$command"
`;

/** A folder for the stages, which goes with everything in it. */
export async function withBuildDir<T>(parent: string, use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(parent, 'relayd-rootfs-'));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
