import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { BoundedText, endOf } from '../../../scripts/lib/processes.ts';
import { within } from '../../support/waiting.ts';
import { endChildrenOnSignals } from './interrupt.ts';

export interface ReadyLine {
  event: 'ready';
  addrs?: string[];
}

type AnswerLine = { id: number; ok: true } | { id: number; ok: false; error: string };

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;
const NOTES_SHOWN = 20;

/**
 * A program that says `{"event":"ready"}`, answers orders, all in JSON lines, and ends when its standard input does: the load and
 * the relays to compare with. Errors end with what it wrote to stderr last.
 */
export class LineProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #notes = new BoundedText();
  readonly #ready = Promise.withResolvers<ReadyLine>();
  readonly #end: Promise<string>;
  readonly #failed: Promise<never>;
  #answer = Promise.withResolvers<AnswerLine>();
  #orders = 0;

  constructor(name: string, command: string, args: readonly string[]) {
    endChildrenOnSignals();
    this.name = name;
    this.#child = spawn(command, args, { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#notes.readFrom(this.#child.stderr);
    this.#end = endOf(this.#child);
    this.#failed = this.#end.then((how) => Promise.reject(this.#failure(`ended with ${how}`)));
    this.#failed.catch(() => {});
    // One that has ended cannot be written to; that it ended is what matters.
    this.#child.stdin?.on('error', () => {});
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.#onLine(line));
    }
  }

  get pid(): number {
    return this.#child.pid ?? NaN;
  }

  /** @throws Error when it ends first, or says nothing in time */
  async ready(): Promise<ReadyLine> {
    return within(Promise.race([this.#ready.promise, this.#failed]), `the ready line of ${this.name}`, READY_TIMEOUT_MS);
  }

  /** One order at a time. @throws Error when the program says that it failed, or ends */
  async order<T>(cmd: string, args: Record<string, unknown> = {}): Promise<T> {
    this.#answer = Promise.withResolvers();
    this.#child.stdin?.write(`${JSON.stringify({ id: ++this.#orders, cmd, ...args })}\n`);
    const answer = await Promise.race([this.#answer.promise, this.#failed]);
    if (!answer.ok) {
      throw this.#failure(`${cmd} ${JSON.stringify(args)}: ${answer.error}`);
    }
    return answer as T;
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#end;
    clearTimeout(timer);
  }

  #onLine(line: string): void {
    const message = JSON.parse(line) as ReadyLine | AnswerLine;
    if ('event' in message) {
      this.#ready.resolve(message);
    } else {
      this.#answer.resolve(message);
    }
  }

  #failure(problem: string): Error {
    const notes = this.#notes.text.trimEnd().split('\n').slice(-NOTES_SHOWN).join('\n');
    return new Error(`${this.name}: ${problem}; the end of its stderr:\n${notes === '' ? '(nothing)' : notes}`);
  }
}
