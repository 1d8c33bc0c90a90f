import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { FileEvent } from '../../test/support/events.ts';
import type { Report, Result } from '../../test/support/reporter.ts';
import { BoundedText, endOf, killGroup } from './processes.ts';

/** A test that takes longer fails by itself, unless it sets a `timeout` of its own. */
const TEST_TIMEOUT_MS = 120_000;
/** A file that says nothing for so long (a loop that never yields) is killed. A row of the fault suite says nothing until it is over, and may take eight minutes on a slow machine. */
const SILENCE_MS = 500_000;
/** No file may run longer; the fault suite, with its eighteen rows, runs longest. */
const FILE_TIMEOUT_MS = 1_200_000;

/**
 * Runs one test file in a process group of its own and reports what it said. A file that hangs, or whose
 * tests are over while something keeps its process alive, is killed with all that it started, and has failed.
 */
export async function runTestFile(file: string): Promise<Report> {
  try {
    return await reportOf(file);
  } catch (error) {
    // The other files run all the same.
    return { title: file, results: [failure(`it could not be run: ${String(error)}`)], durationMs: 0, output: '' };
  }
}

async function reportOf(file: string): Promise<Report> {
  const startedAt = performance.now();
  const child = startFile(file);
  const watchdog = new Watchdog(child);
  const output = new BoundedText();
  output.readFrom(child.stdout);
  output.readFrom(child.stderr);
  const results: Result[] = [];
  const events = readEvents(child.stdio[3] as Readable, (event) => {
    watchdog.saw(event);
    if (event.kind === 'result') {
      results.push(event);
    } else if (event.kind === 'note') {
      output.add(`${event.text}\n`);
    }
  });
  const exit = await endOf(child);
  watchdog.stop();
  await events;
  const problem = watchdog.problem ?? problemOf(results, exit);
  return { title: file, results: problem === undefined ? results : [...results, failure(problem)], durationMs: performance.now() - startedAt, output: output.text };
}

function startFile(file: string): ChildProcess {
  const flags = ['--disable-warning=ExperimentalWarning', '--test-reporter=./test/support/events.ts', `--test-timeout=${TEST_TIMEOUT_MS}`];
  return spawn(process.execPath, [...flags, file], { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
}

async function readEvents(stream: Readable, onEvent: (event: FileEvent) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) {
    const event = parsed(line);
    if (event !== undefined) onEvent(event);
  }
}

/** The last line of a file that was killed may be cut off. */
function parsed(line: string): FileEvent | undefined {
  try {
    return JSON.parse(line) as FileEvent;
  } catch {
    return undefined;
  }
}

/** What is wrong with the file as a whole: it broke outside its tests, or tested nothing. */
function problemOf(results: readonly Result[], exit: string): string | undefined {
  if (exit !== 'exit code 0' && !results.some((result) => result.outcome === 'failed')) {
    return `the file ended with ${exit}, outside its tests`;
  }
  return results.length === 0 && exit === 'exit code 0' ? 'there is no test in the file' : undefined;
}

function failure(detail: string): Result {
  return { name: '(the file)', outcome: 'failed', durationMs: 0, detail };
}

/** Kills a file that hangs and says why. */
class Watchdog {
  problem: string | undefined;
  readonly #child: ChildProcess;
  readonly #limit: NodeJS.Timeout;
  #silence: NodeJS.Timeout;
  #running = 'nothing yet';

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#limit = setTimeout(() => this.#kill(`it ran longer than ${FILE_TIMEOUT_MS / 1000} s`), FILE_TIMEOUT_MS);
    this.#silence = this.#armSilence();
  }

  saw(event: FileEvent): void {
    clearTimeout(this.#silence);
    this.#silence = this.#armSilence();
    if (event.kind === 'running') {
      this.#running = event.name;
    } else if (event.kind === 'idle') {
      this.#kill(`every test is over, but the process goes on; still open: ${event.open.join(', ')}`);
    }
  }

  stop(): void {
    clearTimeout(this.#limit);
    clearTimeout(this.#silence);
  }

  #armSilence(): NodeJS.Timeout {
    return setTimeout(() => this.#kill(`it said nothing for ${SILENCE_MS / 1000} s`), SILENCE_MS);
  }

  #kill(problem: string): void {
    this.problem ??= `killed: ${problem}; the last test to begin: ${this.#running}`;
    killGroup(this.#child, 'SIGKILL');
  }
}
