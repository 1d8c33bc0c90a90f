import type { ChildProcess } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BoundedText, endOf, runCommand } from '../processes.ts';
import type { CommandResult } from '../processes.ts';
import type { ReadyLine } from '../daemon.ts';
import type { Image } from './build.ts';
import { insidePid, killInside, spawnInside } from './inside.ts';

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;
const HEALTH_TIMEOUT_MS = 30_000;

/**
 * The image's command, running as an engine runs it with `--read-only --cap-drop ALL --security-opt no-new-privileges --network host`:
 * as the image's user, process 1 of its own pids, the tree read-only, the volume on top of it.
 */
export class Container {
  readonly #image: Image;
  readonly #child: ChildProcess;
  readonly #log = new BoundedText();
  readonly #end: Promise<string>;

  private constructor(image: Image, volume: string, env: NodeJS.ProcessEnv, user: string) {
    this.#image = image;
    const args = ['sh', '-euc', START, 'sh', image.root, volume, image.volumes[0] ?? '', user, image.workdir, ...image.entrypoint, ...image.cmd];
    this.#child = spawnInside('unshare', ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', ...args], { env: { ...image.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#log.readFrom(this.#child.stdout);
    this.#log.readFrom(this.#child.stderr);
    this.#end = endOf(this.#child);
  }

  /** @param volume an empty folder becomes what the image has there, as an engine fills a new volume */
  static async start(image: Image, volume: string, env: NodeJS.ProcessEnv): Promise<Container> {
    await cp(join(image.root, image.volumes[0] ?? ''), volume, { recursive: true, preserveTimestamps: true });
    const user = await userOf(image);
    await runCommand('chown', [user, volume], { timeoutMs: HEALTH_TIMEOUT_MS });
    return new Container(image, volume, env, user);
  }

  get log(): string {
    return this.#log.text;
  }

  /** The line that the daemon logs once it serves. @throws Error when it does not, with its log */
  async ready(): Promise<ReadyLine> {
    const { promise, resolve, reject } = Promise.withResolvers<ReadyLine>();
    const fail = (): void => reject(new Error(`the container did not get ready:\n${this.log}`));
    const look = (): void => {
      const line = this.log.split('\n').slice(0, -1).find((text) => text.includes('"event":"ready"'));
      if (line !== undefined) resolve(JSON.parse(line) as ReadyLine);
    };
    const timer = setTimeout(fail, READY_TIMEOUT_MS);
    this.#child.stdout?.on('data', look);
    void this.#end.then(fail);
    look();
    return promise.finally(() => clearTimeout(timer));
  }

  /** Of process 1, as the kernel says: `Uid`, `CapEff`, `NoNewPrivs` … */
  async processStatus(): Promise<Record<string, string>> {
    const text = await readFile(`/proc/${await this.#pid()}/status`, 'utf8');
    return Object.fromEntries(text.split('\n').map((line) => line.split(/:\s*/, 2) as [string, string]));
  }

  /** The image's HEALTHCHECK, run inside, as the same user. */
  async healthcheck(): Promise<CommandResult> {
    const args = ['--target', String(await this.#pid()), '--mount', '--pid', '--root', '--wd', 'setpriv', ...PRIVILEGES, ...userFlags(await userOf(this.#image)), ...this.#image.healthcheck];
    return runCommand('nsenter', args, { timeoutMs: HEALTH_TIMEOUT_MS, env: this.#image.env });
  }

  /** The image's stop signal, to process 1. @returns how it ended */
  async stop(): Promise<string> {
    process.kill(await this.#pid(), this.#image.stopSignal);
    const timer = setTimeout(() => void this.kill(), STOP_TIMEOUT_MS);
    const exit = await this.#end;
    clearTimeout(timer);
    return exit;
  }

  /** Process 1 itself: what `unshare` would send it when that is killed is lost where a process has changed its user. */
  async kill(): Promise<void> {
    await killInside(this.#child);
    await this.#end;
  }

  async #pid(): Promise<number> {
    const pid = await insidePid(this.#child);
    if (pid === undefined) throw new Error(`the container has ended:\n${this.log}`);
    return pid;
  }
}

const PRIVILEGES = ['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--clear-groups'];

function userFlags(user: string): string[] {
  const [uid = '', gid = ''] = user.split(':');
  return ['--reuid', uid, '--regid', gid];
}

/** `UID:GID` of the image's user. */
async function userOf({ root, user }: Image): Promise<string> {
  const line = (await readFile(join(root, 'etc/passwd'), 'utf8')).split('\n').find((entry) => entry.startsWith(`${user}:`));
  if (line === undefined) {
    throw new Error(`USER ${user}: the image has no such user`);
  }
  return line.split(':').slice(2, 4).join(':');
}

/** $1 the tree, $2 the volume's folder, $3 where it is mounted, $4 UID:GID, $5 the folder, then the command. */
const START = `
root=$1 volume=$2 at=$3 user=$4 workdir=$5; shift 5
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --bind "$volume" "$root$at"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv ${PRIVILEGES.join(' ')} --reuid "\${user%:*}" --regid "\${user#*:}" /bin/sh -c 'cd "$1"; shift; exec "$@"' sh "$workdir" "$@"
`;
