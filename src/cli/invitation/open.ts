import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { EXIT_CODES_HELP } from '../exit-codes.ts';
import type { OpenOptions } from './opening.ts';
import { listenOn } from './options.ts';

const HELP = `
Runs in the foreground until Ctrl-C. When the service has answered once, HOST:PORT is printed on stdout, alone in its line: connect there.

Examples:
  relayd open relayd:AQE…
  relayd open relayd:AQE… --listen 127.0.0.1:9000

${EXIT_CODES_HELP}`;

export function addOpenCommand(program: Command, context: CliContext): void {
  program
    .command('open')
    .argument('<line...>', 'the line that "relayd share" printed, or "relayd invite --tunnel"; or - to read it from standard input')
    .description('reach the service of a line at a port of this machine')
    .option('--listen <host:port>', "where to listen (default: 127.0.0.1, and the service's own port if it is free here)", listenOn)
    .addHelpText('after', HELP)
    .action(async (words: string[], _options, command: Command) => {
      const { open } = await import('./opening.ts');
      await open(context, words, command.optsWithGlobals<OpenOptions>());
    });
}
