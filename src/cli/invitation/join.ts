import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { EXIT_CODES_HELP } from '../exit-codes.ts';
import type { JoinOptions } from './joining.ts';

const HELP = `
Checks the line, says what it will do, asks, tries it, and only then writes the config. White space in the line does not matter. A config
that exists is never replaced; to join once more with the same line changes nothing. A line in the command line can be seen by other users
of this machine while it runs, and stays in the shell's history: "-" reads it from standard input.

Examples:
  relayd join relayd:AQE… --config relayd.yaml --run       join, and run in the foreground
  relayd join - --config relayd.yaml --yes < line          without a question, for scripts

${EXIT_CODES_HELP}`;

export function addJoinCommand(program: Command, context: CliContext): void {
  program
    .command('join')
    .argument('<line...>', 'the line that "relayd invite" printed, or - to read it from standard input')
    .description('join a realm with the line of an invitation')
    .option('-y, --yes', 'do not ask')
    .option('--run', 'then run the daemon, in the foreground')
    .addHelpText('after', HELP)
    .action(async (words: string[], _options, command: Command) => {
      const { join } = await import('./joining.ts');
      await join(context, words, command.optsWithGlobals<JoinOptions>());
    });
}
