import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { BoundedText } from '../../../scripts/lib/processes.ts';
import { within } from '../../conformance/waiting.ts';
import type { Answers, Command, Failure } from './answers.ts';

interface ReadyLine {
  event: 'ready';
  peerId: string;
  addrs: string[];
}

type AnswerLine = { id: number; ok: true } | ({ id: number; ok: false } & Failure);

const READY_TIMEOUT_MS = 30_000;
const COMMAND_TIMEOUT_MS = 20_000;
/** The peer keeps the deadline; ours is for a peer that does not. */
const GRACE_MS = 3_000;
/** Each of asking it and killing it. */
const STOP_TIMEOUT_MS = 10_000;
const NOTES_SHOWN = 20;

/**
 * A test peer in a process of its own, driven by JSON lines (test/interop/go-peer/README.md): waits for its ready line, asks it,
 * ends it. An error says what the peer wrote to stderr last.
 */
export class PeerProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #notes = new BoundedText();
  readonly #ready = Promise.withResolvers<ReadyLine>();
  readonly #ended = Promise.withResolvers<string>();
  readonly #waiting = new Map<number, PromiseWithResolvers<AnswerLine>>();
  #readyLine: ReadyLine | undefined;
  #lastId = 0;

  /** @throws Error when it ends or says nothing before it is ready */
  static async start(name: string, program: string, args: readonly string[]): Promise<PeerProcess> {
    const peer = new PeerProcess(name, program, args);
    try {
      peer.#readyLine = await within(peer.#ready.promise, READY_TIMEOUT_MS, `the ready line of ${name}`);
      return peer;
    } catch (error) {
      await peer.kill();
      throw peer.#failure(error instanceof Error ? error.message : String(error));
    }
  }

  private constructor(name: string, program: string, args: readonly string[]) {
    this.name = name;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#notes.readFrom(this.#child.stderr);
    this.#child.once('error', (error) => this.#onEnd(error.message));
    this.#child.once('exit', (code, signal) => this.#onEnd(code === null ? `signal ${signal}` : `exit code ${code}`));
    // A peer that has ended cannot be written to; that it ended is what matters.
    this.#child.stdin?.on('error', () => {});
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.#onLine(line));
    }
  }

  get peerId(): string {
    return this.#isReady().peerId;
  }

  /** Where it listens, as full addresses. */
  get addrs(): string[] {
    return this.#isReady().addrs;
  }

  get addr(): string {
    const [addr] = this.addrs;
    if (addr === undefined) throw new Error(`${this.name} listens nowhere`);
    return addr;
  }

  /** Runs a command to its answer. @throws Error when the peer says that it failed, is silent or has ended */
  async run<C extends Command>(cmd: C, args: Record<string, unknown> = {}, timeoutMs = COMMAND_TIMEOUT_MS): Promise<Answers[C]> {
    const answer = await this.#ask(cmd, args, timeoutMs);
    if (!answer.ok) {
      throw this.#failure(`${cmd} ${JSON.stringify(args)}: ${answer.error}`);
    }
    return answer as unknown as Answers[C];
  }

  /** Runs a command that must fail, and says how it did. @throws Error when it succeeds */
  async failure(cmd: Command, args: Record<string, unknown> = {}, timeoutMs = COMMAND_TIMEOUT_MS): Promise<Failure> {
    const answer = await this.#ask(cmd, args, timeoutMs);
    if (answer.ok) {
      throw this.#failure(`${cmd} ${JSON.stringify(args)} succeeded: ${JSON.stringify(answer)}`);
    }
    return answer;
  }

  /** What the peer has written to stderr, the end of it. */
  get notes(): string {
    return this.#notes.text;
  }

  /** Waits for a text on the peer's stderr, which may be there already. */
  async noted(text: string | RegExp, timeoutMs: number): Promise<void> {
    const found = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.notes.search(text) >= 0) found.resolve();
    };
    this.#child.stderr?.on('data', look);
    look();
    try {
      await within(found.promise, timeoutMs, `${String(text)} in the notes of ${this.name}`).catch((error: Error) => Promise.reject(this.#failure(error.message)));
    } finally {
      this.#child.stderr?.off('data', look);
    }
  }

  /** Closes its standard input, which asks it to end; kills it when it does not. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    try {
      await within(this.#ended.promise, STOP_TIMEOUT_MS, `the end of ${this.name}`);
    } catch {
      await this.kill();
    }
  }

  /** Ends it without a word to its connections. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await within(this.#ended.promise, STOP_TIMEOUT_MS, `the end of ${this.name} after SIGKILL`);
  }

  async #ask(cmd: Command, args: Record<string, unknown>, timeoutMs: number): Promise<AnswerLine> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<AnswerLine>();
    this.#waiting.set(id, answer);
    this.#child.stdin?.write(`${JSON.stringify({ id, cmd, timeoutMs, ...args })}\n`);
    try {
      return await within(Promise.race([answer.promise, this.#diedFirst()]), timeoutMs + GRACE_MS, `the answer of ${this.name} to ${cmd}`);
    } finally {
      this.#waiting.delete(id);
    }
  }

  async #diedFirst(): Promise<never> {
    throw this.#failure(`ended with ${await this.#ended.promise}`);
  }

  #onLine(line: string): void {
    const message = JSON.parse(line) as ReadyLine | AnswerLine;
    if ('event' in message) {
      this.#ready.resolve(message);
    } else {
      this.#waiting.get(message.id)?.resolve(message);
    }
  }

  #onEnd(how: string): void {
    this.#ended.resolve(how);
    this.#ready.promise.catch(() => {});
    this.#ready.reject(new Error(`ended with ${how} before it was ready`));
  }

  #isReady(): ReadyLine {
    if (this.#readyLine === undefined) throw new Error(`${this.name} is not ready`);
    return this.#readyLine;
  }

  #failure(problem: string): Error {
    const notes = this.notes.trimEnd().split('\n').slice(-NOTES_SHOWN).join('\n');
    return new Error(`${this.name}: ${problem}; the end of its stderr:\n${notes === '' ? '(nothing)' : notes}`);
  }
}
