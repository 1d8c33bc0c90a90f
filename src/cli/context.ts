import type { EventEmitter } from 'node:events';
import type { ConfigSources, LoadedConfig } from '../config/index.ts';
import { EXIT_CONFIG, EXIT_OK } from './exit-codes.ts';
import { PlainFailure } from './failure.ts';

export interface TextOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** The process as the commands see it; tests hand in their own. */
export interface CliIo {
  stdout: TextOutput;
  stderr: TextOutput;
  /** For a question; without it nobody can be asked. */
  stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  env: NodeJS.ProcessEnv;
  /** Where SIGINT, SIGTERM, SIGHUP and the errors that nobody caught arrive. */
  signals: EventEmitter;
  /** Ends the process at once, whatever is still running. */
  exitNow: (code: number) => void;
}

/** The options that every command takes. */
export interface GlobalOptions {
  config?: string;
  profile?: string;
  role?: string;
  set?: string[];
}

/** What one run of the program knows. */
export class CliContext {
  readonly io: CliIo;
  /** What the command wants the process to end with, when it does not throw. */
  exitCode: number = EXIT_OK;

  constructor(io: CliIo) {
    this.io = io;
  }

  print(text: string): void {
    this.io.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  printError(text: string): void {
    this.io.stderr.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  sources(options: GlobalOptions): ConfigSources {
    const { config: file, profile, role, set } = options;
    return { file, profile, role, set, env: this.io.env };
  }

  /** @throws PlainFailure with a line for each thing that is wrong */
  async loadConfig(options: GlobalOptions): Promise<LoadedConfig> {
    // Loaded when needed: help and usage errors are at once.
    const { formatProblem, loadConfig } = await import('../config/index.ts');
    const result = loadConfig(this.sources(options));
    if (!result.ok) {
      throw new PlainFailure(result.problems.map(formatProblem), EXIT_CONFIG);
    }
    return result;
  }
}
