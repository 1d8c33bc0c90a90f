import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { Daemon } from '../../scripts/lib/daemon.ts';
import type { ReadyLine } from '../../scripts/lib/daemon.ts';
import { loadIdentity, createIdentity } from '../../src/node/index.ts';
import { until } from './waiting.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Everything on this machine, with ports that the system chooses. */
const LOOPBACK = { network: { listen: [] as string[], allowPrivate: true }, admin: { listen: '127.0.0.1:0' }, log: { format: 'json' } };

export interface Running {
  readonly daemon: Daemon;
  readonly ready: ReadyLine;
}

interface ClientStatus {
  client: { held: number; circuitAddrs: string[] };
}

interface TunnelRow {
  kind: string;
  local: string;
}

/** Real `relayd run` processes in a folder of their own; each name keeps its data directory from one start to the next. */
export class Fleet {
  readonly #dir: string;
  readonly #running = new Map<string, Daemon>();

  static async create(): Promise<Fleet> {
    return new Fleet(await mkdtemp(join(tmpdir(), 'relayd-fleet-')));
  }

  private constructor(dir: string) {
    this.#dir = dir;
  }

  dataDir(name: string): string {
    return join(this.#dir, name);
  }

  configFile(name: string): string {
    return join(this.#dir, `${name}.yaml`);
  }

  /** The peer id of `name`, whose identity is made when there is none. */
  async peerId(name: string): Promise<string> {
    const keyFile = join(this.dataDir(name), 'identity.key');
    await mkdir(this.dataDir(name), { recursive: true, mode: 0o700 });
    const identity = await loadIdentity(keyFile).catch(() => createIdentity(keyFile));
    return identity.peerId.toString();
  }

  /** Writes the config of `name`, with the loopback settings under it and its data directory in it. */
  async configure(name: string, config: { network?: object; log?: object } & Record<string, unknown>): Promise<void> {
    const whole = { ...LOOPBACK, ...config, network: { ...LOOPBACK.network, ...config.network }, dataDir: this.dataDir(name) };
    await writeFile(this.configFile(name), stringify(whole));
  }

  /**
   * Starts `name`, with a new config or the one it has, and waits until it is ready.
   *
   * @param within wraps the command line, to run it somewhere else
   */
  async start(name: string, config?: Parameters<Fleet['configure']>[1], within: (argv: readonly string[]) => readonly string[] = (argv) => argv): Promise<Running> {
    if (config !== undefined) {
      await this.configure(name, config);
    }
    const daemon = new Daemon({ name, command: within([process.execPath, MAIN]), configFile: this.configFile(name), dataDir: this.dataDir(name) });
    this.#running.set(name, daemon);
    return { daemon, ready: await daemon.ready() };
  }

  /** @returns how it ended: `exit code 0` when all is well */
  async stop(name: string): Promise<string> {
    const daemon = this.#running.get(name);
    this.#running.delete(name);
    return (await daemon?.stop()) ?? 'not running';
  }

  /** As a crash would end it. */
  async kill(name: string): Promise<void> {
    const daemon = this.#running.get(name);
    this.#running.delete(name);
    daemon?.signal('SIGKILL');
    await daemon?.ended;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name)));
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** Waits until a client holds exactly `count` reservations. */
export async function untilHeld({ daemon }: Running, count: number, timeoutMs?: number): Promise<string[]> {
  let status: ClientStatus | undefined;
  await until(
    async () => {
      status = await daemon.get<ClientStatus>('/api/v1/status');
      return status.client.held === count;
    },
    `${daemon.name} holds ${count} reservations`,
    timeoutMs,
  );
  return status?.client.circuitAddrs ?? [];
}

/** Where the first forwarded tunnel of a client listens. */
export async function forwardUrl({ daemon }: Running): Promise<string> {
  const rows = await daemon.get<TunnelRow[]>('/api/v1/tunnels');
  const row = rows.find(({ kind }) => kind === 'forward');
  if (row === undefined) {
    throw daemon.failure('forwards no tunnel');
  }
  return `http://${row.local}/`;
}
