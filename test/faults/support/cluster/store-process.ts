import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { BoundedText, endOf } from '../../../../scripts/lib/processes.ts';
import { endChildrenOnSignals } from '../../../bench/support/interrupt.ts';
import type { Namespace } from '../../../support/netns/namespace.ts';
import { within } from '../../../support/waiting.ts';

const STOP_MS = 10_000;

export interface StoreSetup {
  readonly name: string;
  readonly at: Namespace;
  /** Where it works; made anew at every start unless it keeps its data. */
  readonly dir: string;
  readonly argv: () => readonly string[];
  readonly keepsData: boolean;
}

/** A real server of a store in a namespace of its own, which rows kill, freeze and cut off. */
export class StoreProcess {
  readonly setup: StoreSetup;
  readonly #output = new BoundedText();
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(setup: StoreSetup) {
    this.setup = setup;
  }

  async start(): Promise<void> {
    endChildrenOnSignals();
    const { at, dir, argv, keepsData } = this.setup;
    if (!keepsData) await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    const [command, ...args] = at.command(argv());
    this.#child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], cwd: dir });
    this.#output.readFrom(this.#child.stdout);
    this.#output.readFrom(this.#child.stderr);
    this.#ended = endOf(this.#child);
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it has written last. */
  get output(): string {
    return this.#output.text;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await within(this.#ended, `the end of ${this.setup.name}`, STOP_MS);
    this.#child = undefined;
  }
}
