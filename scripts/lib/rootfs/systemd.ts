import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { until } from '../../../test/support/waiting.ts';
import { BoundedText, endOf, runCommand } from '../processes.ts';
import { runInside } from './build.ts';
import type { Image } from './build.ts';
import { succeed } from './commands.ts';
import { insidePid, killInside, spawnInside } from './inside.ts';

/** Where the image has the files of configs/systemd. */
const UNITS = '/app/configs/systemd';
const CONFIG = 'etc/relayd/relay.yaml';
const DROP_IN = ['port-443.conf', 'etc/systemd/system/relayd.service.d/port-443.conf'] as const;

const START_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 60_000;

/** A cgroup of version 2 below which systemd can have its own, or `undefined`: where there is none it does not start. */
export function cgroupMount(): string | undefined {
  return ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((dir) => existsSync(join(dir, 'cgroup.procs')) && existsSync(join(dir, 'cgroup.controllers')));
}

/**
 * Installs systemd and the unit in the image's tree, and starts them: the sandbox is the kernel's, not a reading of the file.
 *
 * @param manual the text of docs/install/systemd.md, whose commands install the unit
 */
export async function proveUnit(image: Image, manual: string, log: (text: string) => void): Promise<void> {
  await runInside(image, 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends systemd');
  log('apt-get install systemd');
  await install(image, manual);
  const system = new System(image, cgroupMount() ?? '');
  try {
    await system.untilActive();
    log('systemd: relayd.service is active');
    await checkSandbox(system, '0000000000000000');
    log('it runs as its user, with no capability, under a system call filter');
    await checkReload(system, image);
    log('systemctl reload: a right config is taken, a wrong one is refused');
    await installDropIn(image);
    await system.succeed('systemctl', 'daemon-reload');
    await system.succeed('systemctl', 'restart', 'relayd');
    // 1 << 10: CAP_NET_BIND_SERVICE.
    await checkSandbox(system, '0000000000000400');
    assert.match(await system.succeed('relayd', 'status', '--config', '/etc/relayd/relay.yaml', '--json'), /\/tcp\/443\//);
    log('with port-443.conf it listens on port 443');
    await system.succeed('systemctl', 'stop', 'relayd');
    assert.equal((await system.succeed('systemctl', 'show', '--property=Result', 'relayd')).trim(), 'Result=success');
    log('systemctl stop: drained, success');
  } finally {
    await system.end();
  }
}

/** The steps of the manual, but for the last, which needs a system that runs. */
async function install(image: Image, manual: string): Promise<void> {
  const [, steps = ''] = /```sh\n([^]*?)```/.exec(manual) ?? [];
  const [last = '', ...before] = steps.trim().split('\n').toReversed();
  assert.match(last, /^systemctl daemon-reload && systemctl enable --now relayd/);
  await runInside(image, ['set -e', `cd ${UNITS}`, ...before.toReversed(), 'systemctl enable relayd'].join('\n'));
  await writeConfig(image, 4001);
}

async function installDropIn(image: Image): Promise<void> {
  const [name, place] = DROP_IN;
  await mkdir(dirname(join(image.root, place)), { recursive: true });
  await copyFile(join(image.root, UNITS, name), join(image.root, place));
  await writeConfig(image, 443);
}

async function writeConfig(image: Image, port: number): Promise<void> {
  await writeFile(join(image.root, CONFIG), `dataDir: /var/lib/relayd\nnetwork: {listen: [/ip4/127.0.0.1/tcp/${port}], allowPrivate: true}\n`);
}

async function checkReload(system: System, image: Image): Promise<void> {
  await system.succeed('systemctl', 'reload', 'relayd');
  await writeFile(join(image.root, CONFIG), 'relay: {open: perhaps}\n');
  await assert.rejects(system.succeed('systemctl', 'reload', 'relayd'));
  assert.equal((await system.succeed('systemctl', 'is-active', 'relayd')).trim(), 'active');
}

async function checkSandbox(system: System, capabilities: string): Promise<void> {
  const pid = (await system.succeed('systemctl', 'show', '--property=MainPID', '--value', 'relayd')).trim();
  const text = await system.succeed('cat', `/proc/${pid}/status`);
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(text)?.[1] ?? '';
  assert.notEqual(field('Uid'), '0');
  assert.deepEqual([field('CapEff'), field('CapBnd'), field('NoNewPrivs'), field('Seccomp')], [capabilities, capabilities, '1', '2']);
}

/** A system of its own on the tree: pids, network, cgroup and mounts; it ends with {@link System.end}, or with this process. */
class System {
  readonly #child;
  readonly #log = new BoundedText();
  readonly #end;
  readonly #cgroup: string;

  constructor(image: Image, cgroups: string) {
    this.#cgroup = join(cgroups, `relayd-rootfs-${process.pid}`);
    this.#child = spawnInside('sh', ['-euc', ENTER, 'sh', this.#cgroup, BOOT, image.root], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#log.readFrom(this.#child.stdout);
    this.#log.readFrom(this.#child.stderr);
    this.#end = endOf(this.#child);
  }

  /** @throws Error with the journal when the unit does not get ready */
  async untilActive(): Promise<void> {
    try {
      await until(async () => (await this.#run(['systemctl', 'is-active', 'relayd'])).stdout.trim() === 'active', 'relayd.service is active', START_TIMEOUT_MS);
    } catch (cause) {
      const { output } = await this.#run(['systemctl', '--no-pager', 'status', 'relayd']);
      throw new Error(`the unit did not start:\n${output}${this.#log.text}`, { cause });
    }
  }

  /** @returns what the command wrote to its standard output */
  async succeed(...command: string[]): Promise<string> {
    const { exit, stdout, output } = await this.#run(command);
    assert.equal(exit, 'exit code 0', `${command.join(' ')}: ${output}`);
    return stdout;
  }

  async end(): Promise<void> {
    await killInside(this.#child);
    await this.#end;
    await removeCgroups(this.#cgroup);
  }

  async #run(command: readonly string[]): Promise<Awaited<ReturnType<typeof runCommand>>> {
    const pid = await insidePid(this.#child);
    return runCommand('nsenter', ['--target', String(pid ?? 0), '--mount', '--pid', '--net', '--cgroup', '--uts', '--ipc', '--root', '--wd', ...command], { timeoutMs: COMMAND_TIMEOUT_MS, env: { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } });
  }
}

/** Empty once nothing runs in them; the kernel may take a moment for that. */
async function removeCgroups(dir: string): Promise<void> {
  await until(async () => (await readFile(join(dir, 'cgroup.events'), 'utf8')).includes('populated 0'), 'the processes are gone');
  const { stdout } = await succeed('find', [dir, '-depth', '-type', 'd']);
  for (const group of stdout.trim().split('\n')) {
    await rmdir(group);
  }
}

/** $1 the cgroup, $2 what runs inside, $3 the tree. */
const ENTER = `
mkdir "$1"
echo $$ >"$1/cgroup.procs"
exec unshare --mount --propagation private --pid --cgroup --net --uts --ipc --fork --kill-child sh -euc "$2" sh "$3"
`;

/** What an engine for system containers prepares: https://systemd.io/CONTAINER_INTERFACE. pivot_root: in a chroot nobody may make a user namespace. */
const BOOT = `
root=$1
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/full" c 1 7
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
mknod -m 666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ip link set lo up
cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
exec /usr/bin/env -i container=relayd PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=false --unit=multi-user.target
`;
