import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { runCli } from '../../../src/cli/index.ts';

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CliRun {
  signals: EventEmitter;
  /** What has been written to stdout so far, one entry a write. */
  written: string[];
  /** Emits `write` after each. */
  output: EventEmitter<{ write: [] }>;
  done: Promise<CliResult>;
}

/** A command line in this process, with an environment that is empty but for what is given. */
export function startCli(argv: string[], env: NodeJS.ProcessEnv = {}, isTTY = false): CliRun {
  const signals = new EventEmitter();
  const output = new EventEmitter<{ write: [] }>();
  const written: string[] = [];
  let stderr = '';
  const stdout = { isTTY, write: (text: string): void => void (written.push(text), output.emit('write')) };
  const io = { stdout, stderr: { write: (text: string): void => void (stderr += text) }, env, signals, exitNow: () => {} };
  return { signals, written, output, done: runCli(argv, io).then((code) => ({ code, stdout: written.join(''), stderr })) };
}

export function cli(argv: string[], env?: NodeJS.ProcessEnv): Promise<CliResult> {
  return startCli(argv, env).done;
}

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

export interface SpawnedCli {
  readonly pid: number | undefined;
  readonly stdout: Readable;
  kill(signal: NodeJS.Signals): void;
  result: Promise<CliResult>;
  /** The next log line with this event, after those that were waited for before. */
  untilEvent(event: string): Promise<Record<string, unknown>>;
}

/** The program as a user starts it. It is killed when the test ends before it does. */
export function spawnCli(t: TestContext, argv: string[], env: NodeJS.ProcessEnv = {}): SpawnedCli {
  const child = spawn(process.execPath, [MAIN, ...argv], { env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const texts = { stdout: '', stderr: '' };
  const grown = new EventEmitter<{ more: [] }>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.stdout += text;
    grown.emit('more');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const result = once(child, 'close').then(([code]) => ({ code: code as number, ...texts }));
  let seen = 0;
  const untilEvent = async (event: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const lines = texts.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>);
      const at = lines.findIndex((line, i) => i >= seen && line['event'] === event);
      if (at >= 0) {
        seen = at + 1;
        return lines[at] ?? {};
      }
      const ended = await Promise.race([once(grown, 'more').then(() => false), result.then(() => true)]);
      if (ended) throw new Error(`the process ended without "${event}": ${texts.stdout}${texts.stderr}`);
    }
  };
  return { pid: child.pid, stdout: child.stdout, kill: (signal) => void child.kill(signal), result, untilEvent };
}
