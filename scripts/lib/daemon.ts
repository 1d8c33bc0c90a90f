import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BoundedText, endOf } from './processes.ts';

/** The line that `relayd run` logs once it serves. */
export interface ReadyLine {
  event: 'ready';
  peerId: string;
  addrs: string[];
  /** The admin server's URL. */
  admin: string;
  pid: number;
  profile: string;
  role: string;
}

export interface DaemonOptions {
  /** What messages call it. */
  name: string;
  /** The relayd command and its arguments before `run`. */
  command: readonly string[];
  configFile: string;
  dataDir: string;
  /** In a process group of its own the terminal's Ctrl-C does not reach it, so that the caller can stop it in order. */
  ownGroup?: boolean;
}

/** A start takes a second or two: on a machine with ten times the work that it can do, half a minute. */
const READY_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** Beside the time that its drain may take, a few seconds; likewise. */
const STOP_TIMEOUT_MS = 30_000;
const LOG_LINES_SHOWN = 15;

/** A `relayd run` process: waits for its ready line, asks its admin server, stops it. Errors end with the tail of its log. */
export class Daemon {
  readonly name: string;
  readonly #o: DaemonOptions;
  readonly #child: ChildProcess;
  readonly #log = new BoundedText();
  readonly #ready = Promise.withResolvers<ReadyLine>();
  readonly #end: Promise<string>;
  #exit: string | undefined;

  constructor(options: DaemonOptions) {
    this.name = options.name;
    this.#o = options;
    const [command = '', ...args] = options.command;
    this.#child = spawn(command, [...args, 'run', '--config', options.configFile], { detached: options.ownGroup, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#end = this.#watchEnd();
    this.#ready.promise.catch(() => {});
    this.#readOutput();
  }

  /** @throws Error when the process ends first, or says nothing in time */
  async ready(): Promise<ReadyLine> {
    return this.#within(this.#ready.promise, READY_TIMEOUT_MS, 'was not ready');
  }

  /** `GET path` of the admin server, with the token that the daemon wrote to its data directory. */
  async get<T>(path: string): Promise<T> {
    return this.#ask<T>('GET', path);
  }

  /** `POST path` of the admin server, with a JSON body. */
  async post<T>(path: string, body: object): Promise<T> {
    return this.#ask<T>('POST', path, JSON.stringify(body));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /**
   * SIGTERM, and SIGKILL for a process that takes longer than it may.
   * @returns `exit code N` or `signal NAME`
   */
  async stop(): Promise<string> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_TIMEOUT_MS);
    const exit = await this.#end;
    clearTimeout(timer);
    return exit;
  }

  /** How it ended, or `undefined` while it runs. */
  get exit(): string | undefined {
    return this.#exit;
  }

  get ended(): Promise<string> {
    return this.#end;
  }

  failure(problem: string): Error {
    const log = this.#log.text.trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');
    return new Error(`${this.name} ${problem}; the end of its log:\n${log === '' ? '(nothing)' : log}`);
  }

  async #ask<T>(method: string, path: string, body?: string): Promise<T> {
    const { url, token } = JSON.parse(await readFile(join(this.#o.dataDir, 'admin.json'), 'utf8')) as { url: string; token: string };
    const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await fetch(new URL(path, url), { method, headers, body, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    if (!response.ok) {
      throw this.failure(`answered ${response.status} to ${method} ${path}: ${await response.text()}`);
    }
    return (await response.json()) as T;
  }

  async #watchEnd(): Promise<string> {
    const exit = await endOf(this.#child);
    this.#exit = exit;
    this.#ready.reject(this.failure(`ended with ${exit} before it was ready`));
    return exit;
  }

  #readOutput(): void {
    this.#log.readFrom(this.#child.stderr);
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.#readLine(line));
    }
  }

  #readLine(line: string): void {
    this.#log.add(`${line}\n`);
    if (line.includes('"event":"ready"')) {
      this.#ready.resolve(JSON.parse(line) as ReadyLine);
    }
  }

  async #within<T>(promise: Promise<T>, timeoutMs: number, problem: string): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(this.failure(`${problem} within ${timeoutMs / 1000} s`)), timeoutMs);
    try {
      return await Promise.race([promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
