import { CommanderError } from 'commander';
import { CliContext } from './context.ts';
import type { CliIo } from './context.ts';
import { EXIT_USAGE } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { describeFailure } from './failure.ts';

/**
 * Runs one command line and says with which code the process should end. It never throws and never exits.
 * @param argv the arguments after the program's name
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const context = new CliContext(io);
  try {
    await createProgram(context).parseAsync(argv, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Its text is out already. Code 0: help or version, as asked for.
      return error.exitCode === 0 ? 0 : EXIT_USAGE;
    }
    const { text, exitCode } = describeFailure(error);
    io.stderr.write(`${text}\n`);
    return exitCode;
  }
}
