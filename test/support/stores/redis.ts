import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoundedText, endOf } from '../../../scripts/lib/processes.ts';
import { freePort } from '../free-port.ts';
import { until, within } from '../waiting.ts';

const START_MS = 20_000;
const ASK_MS = 10_000;
const STOP_MS = 10_000;

/** Another program may take a port between the time it was found free and the server's start. */
const START_ATTEMPTS = 3;

/** Why no real Redis can be started here. */
export function available(): string | undefined {
  const missing = ['redis-server', 'redis-cli'].find((tool) => spawnSync(tool, ['--version']).error !== undefined);
  return missing === undefined ? undefined : `${missing} is not installed: apt-get install redis-server`;
}

export interface ServerOptions {
  readonly port?: number;
  /** Arguments of redis-server. */
  readonly args?: readonly string[];
  /** Of redis-cli, when it needs more than the port. */
  readonly cliArgs?: readonly string[];
  /** A configuration file that the server may rewrite: a sentinel's. */
  readonly file?: (port: number) => string;
}

/** A real Redis on loopback with a folder of its own; it keeps nothing on disk. */
export class RedisServer {
  readonly port: number;
  readonly #options: ServerOptions;
  readonly #dir: string;
  readonly #said = new BoundedText();
  #child!: ChildProcess;
  #ended!: Promise<string>;
  #exit: string | undefined;
  /** Of a test run that is interrupted. */
  readonly #onExit = (): void => void this.#child.kill('SIGKILL');

  static async start(options: ServerOptions = {}): Promise<RedisServer> {
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(options, options.port ?? (await freePort()));
      try {
        await server.#spawn();
        return server;
      } catch (error) {
        await server.stop();
        if (options.port !== undefined || attempt === START_ATTEMPTS) throw error;
      }
    }
  }

  private constructor(options: ServerOptions, port: number) {
    this.#options = options;
    this.port = port;
    this.#dir = mkdtempSync(join(tmpdir(), 'relayd-redis-'));
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Asks the server as an operator does. */
  ask(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync('redis-cli', ['-p', String(this.port), '-e', ...(this.#options.cliArgs ?? []), ...args], { encoding: 'utf8', timeout: ASK_MS });
    if (status !== 0) throw new Error(`redis-cli ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** As a crash: all connections are reset, what it had is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await within(this.#ended, 'redis-server to be gone', STOP_MS);
  }

  /** On the same port, after {@link kill}. */
  async startAgain(): Promise<void> {
    await this.#spawn();
  }

  async stop(): Promise<void> {
    await this.kill();
    process.removeListener('exit', this.#onExit);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #spawn(): Promise<void> {
    this.#exit = undefined;
    const { args = [], file } = this.#options;
    const conf = join(this.#dir, 'redis.conf');
    writeFileSync(conf, file?.(this.port) ?? '');
    this.#child = spawn('redis-server', [conf, '--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#dir, ...(file === undefined ? ['--save', ''] : []), ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#said.readFrom(this.#child.stdout);
    this.#said.readFrom(this.#child.stderr);
    process.removeListener('exit', this.#onExit).once('exit', this.#onExit);
    this.#ended = endOf(this.#child);
    void this.#ended.then((how) => (this.#exit = how));
    await until(() => this.#answers(), 'redis-server to answer', START_MS).catch((error: unknown) => {
      throw new Error(`redis-server does not start; it said:\n${this.#said.text}`, { cause: error });
    });
  }

  #answers(): boolean {
    if (this.#exit !== undefined) throw new Error(`redis-server ended with ${this.#exit}`);
    return spawnSync('redis-cli', ['-p', String(this.port), ...(this.#options.cliArgs ?? []), 'ping'], { encoding: 'utf8', timeout: ASK_MS }).stdout.trim() === 'PONG';
  }
}
