import { Argument } from 'commander';
import type { Command } from 'commander';
import { commandTree } from './command-tree.ts';
import type { CommandFacts } from './command-tree.ts';
import { bashCompletion } from './completion-bash.ts';
import { fishCompletion } from './completion-fish.ts';
import { zshCompletion } from './completion-zsh.ts';
import type { CliContext } from './context.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';

type Shell = 'bash' | 'zsh' | 'fish';

/** What each shell reads to complete the words of a command line. */
export const COMPLETIONS: Record<Shell, (tree: CommandFacts) => string> = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

const HELP = `
For this user:
  bash   relayd completion bash > ~/.local/share/bash-completion/completions/relayd
  zsh    relayd completion zsh > "\${fpath[1]}/_relayd"
  fish   relayd completion fish > ~/.config/fish/completions/relayd.fish

For this shell alone:
  source <(relayd completion bash)

${EXIT_CODES_HELP}`;

export function addCompletionCommand(program: Command, context: CliContext): void {
  program
    .command('completion')
    .description('print what makes the Tab key complete commands and options')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(COMPLETIONS)))
    .addHelpText('after', HELP)
    .action((shell: Shell) => context.print(COMPLETIONS[shell](commandTree(program))));
}
