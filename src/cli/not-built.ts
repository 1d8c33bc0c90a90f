import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import { EXIT_USAGE } from './exit-codes.ts';
import { PlainFailure } from './failure.ts';

/** In the contract, not in this release. Named here so that they say so, and are not taken for typing errors. */
const PLANNED = ['realm', 'doctor', 'invite', 'join', 'share', 'open'] as const;

export function addPlannedCommands(program: Command, _context: CliContext): void {
  for (const name of PLANNED) {
    program
      .command(`${name} [words...]`, { hidden: true })
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw new PlainFailure([`relayd: "${name}" is not built yet; "relayd --help" lists what is`], EXIT_USAGE);
      });
  }
}
