import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

/** What a failing program printed last is what matters: the rest is not kept. */
const MAX_TEXT = 64 * 1024;

/** The end of what streams carried. */
export class BoundedText {
  #text = '';

  readFrom(stream: Readable | null): void {
    stream?.setEncoding('utf8').on('data', (chunk: string) => this.add(chunk));
  }

  add(text: string): void {
    this.#text = `${this.#text}${text}`.slice(-MAX_TEXT);
  }

  get text(): string {
    return this.#text;
  }
}

/** Children in groups of their own do not get the terminal's Ctrl-C: whoever starts them passes it on. */
const running = new Set<ChildProcess>();

/** Kills every child that {@link endOf} waits for, with all that it started. */
export function killAll(): void {
  running.forEach((child) => killGroup(child, 'SIGKILL'));
}

/** Output that is still on its way when a process ends is waited for this long. */
const CLOSE_GRACE_MS = 2000;

/**
 * Waits for the end of a child; one that was started with `detached` leaves nothing of its group running then.
 * @returns `exit code N` or `signal NAME`
 */
export async function endOf(child: ChildProcess): Promise<string> {
  running.add(child);
  const exit = Promise.withResolvers<string>();
  const close = Promise.withResolvers<void>();
  child.once('error', (error) => exit.resolve(error.message));
  child.once('exit', (code, signal) => exit.resolve(code === null ? `signal ${signal}` : `exit code ${code}`));
  child.once('close', () => close.resolve());
  const how = await exit.promise;
  running.delete(child);
  killGroup(child, 'SIGKILL');
  const timer = setTimeout(() => close.resolve(), CLOSE_GRACE_MS);
  await close.promise;
  clearTimeout(timer);
  return how;
}

/** Signals a child that was started with `detached`, and everything that it started. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid ?? NaN), signal);
  } catch {
    // The group is gone.
  }
}

export interface CommandResult {
  exit: string;
  stdout: string;
  /** Both streams, as they came. */
  output: string;
}

/** Runs a command to its end, or kills it and all that it started after `timeoutMs`. */
export async function runCommand(command: string, args: readonly string[], options: { timeoutMs: number; cwd?: string; env?: NodeJS.ProcessEnv }): Promise<CommandResult> {
  const child = spawn(command, args, { cwd: options.cwd, env: options.env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = new BoundedText();
  const stdout = new BoundedText();
  stdout.readFrom(child.stdout);
  output.readFrom(child.stdout);
  output.readFrom(child.stderr);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(child, 'SIGKILL');
  }, options.timeoutMs);
  const exit = await endOf(child);
  clearTimeout(timer);
  return { exit: late ? `no end after ${options.timeoutMs / 1000} s` : exit, stdout: stdout.text, output: output.text };
}
