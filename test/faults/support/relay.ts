import { mkdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Daemon } from '../../../scripts/lib/daemon.ts';
import type { ReadyLine } from '../../../scripts/lib/daemon.ts';
import { endChildrenOnSignals } from '../../bench/support/interrupt.ts';
import { Fleet } from '../../support/fleet.ts';

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const ASK_TIMEOUT_MS = 10_000;

export interface RelaySetup {
  readonly name: string;
  /** Over {@link BASE}. */
  readonly config: { network?: object; relay?: object } & Record<string, unknown>;
  /** Before the program: `ip netns exec …`, `prlimit …`, `env …`. It must become the program (exec), so that signals reach that. */
  readonly prefix?: readonly string[];
  readonly nodeArgs?: readonly string[];
  /** The host that it listens on. */
  readonly host?: string;
  /** Where its file system is found from here, when it has one of its own. */
  readonly root?: string;
}

/** `relayd run` in a process of its own, which rows kill, freeze and starve. It keeps its port and its identity from one start to the next. */
export class Relay {
  readonly name: string;
  readonly #fleet: Fleet;
  #setup: RelaySetup;
  #daemon: Daemon | undefined;
  #ready: ReadyLine | undefined;

  static async start(fleet: Fleet, setup: RelaySetup): Promise<Relay> {
    endChildrenOnSignals();
    const relay = new Relay(fleet, setup);
    await relay.start();
    return relay;
  }

  private constructor(fleet: Fleet, setup: RelaySetup) {
    this.name = setup.name;
    this.#fleet = fleet;
    this.#setup = setup;
  }

  get addr(): string {
    return this.#now().addrs[0] ?? '';
  }

  get peerId(): string {
    return this.#now().peerId;
  }

  get pid(): number {
    return this.#now().pid;
  }

  get dataDir(): string {
    return this.#fleet.dataDir(this.name);
  }

  /** How it ended, or `undefined` while it runs. */
  get exit(): string | undefined {
    return this.#daemon === undefined ? 'not running' : this.#daemon.exit;
  }

  get ended(): Promise<string> {
    return this.#daemon?.ended ?? Promise.resolve('not running');
  }

  async start(): Promise<void> {
    const { name, prefix = [], nodeArgs = [] } = this.#setup;
    await this.#configure();
    this.#daemon = new Daemon({ name, command: [...prefix, process.execPath, ...nodeArgs, MAIN], configFile: this.#fleet.configFile(name), dataDir: this.dataDir, ownGroup: true });
    this.#ready = await this.#daemon.ready();
  }

  /** What it has from its next start on. */
  reconfigure(config: RelaySetup['config']): void {
    this.#setup = { ...this.#setup, config };
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon?.signal(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
    this.#daemon = undefined;
  }

  /** With the end of its log. */
  failure(problem: string): Error {
    return this.#daemon?.failure(problem) ?? new Error(`${this.name} ${problem}`);
  }

  async stop(): Promise<string> {
    // One that stands still hears nothing else.
    this.signal('SIGCONT');
    return (await this.#daemon?.stop()) ?? 'not running';
  }

  /** `GET path` of the admin server. */
  async get(path: string): Promise<{ status: number; text: string }> {
    return getOverSocket(`${this.#setup.root ?? ''}${this.#socket}`, path);
  }

  /** Every series of `GET /metrics`: name with labels, and value. */
  async metrics(): Promise<Map<string, number>> {
    const { text } = await this.get('/metrics');
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
  }

  #now(): ReadyLine {
    if (this.#ready === undefined) throw new Error(`${this.name} has not started`);
    return this.#ready;
  }

  get #socket(): string {
    return join(this.dataDir, 'admin.sock');
  }

  /** The first start takes a free port, the others the same. */
  async #configure(): Promise<void> {
    const { config, host = '127.0.0.1', name } = this.#setup;
    const port = /\/tcp\/(\d+)/.exec(this.#ready?.addrs[0] ?? '')?.[1] ?? '0';
    await mkdir(this.dataDir, { recursive: true, mode: 0o700 });
    await this.#fleet.configure(name, {
      profile: 'tier2',
      role: 'relay',
      // Reached from any network namespace.
      admin: { listen: `unix:${this.#socket}` },
      drain: { timeout: '1s' },
      ...config,
      network: { listen: [`/ip4/${host}/tcp/${port}`], ...config.network },
    });
  }
}

function getOverSocket(socketPath: string, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, headers: { connection: 'close' }, timeout: ASK_TIMEOUT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text })).on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error(`GET ${path}: no answer within ${ASK_TIMEOUT_MS / 1000} s`)));
    call.on('error', reject).end();
  });
}
