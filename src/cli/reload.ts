import type { Command } from 'commander';
import { RelaydError } from '../lib/errors.ts';
import type { CliContext } from './context.ts';
import { addDaemonOptions, findDaemon } from './daemon.ts';
import type { DaemonOptions } from './daemon.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { PlainFailure } from './failure.ts';

interface Outcome {
  changed?: string[];
  restartNeeded?: string[];
}

const HELP = `
The daemon reads its config file again. What can change while it runs (limits, access lists, log level, bootstrap list, the secret of a cluster) is in
force at once; for the rest it says what needs a restart. Of a config with another profile or role nothing applies before a restart. If anything is wrong, it keeps all of the old config. SIGHUP does the same.

Examples:
  relayd reload
  relayd reload --json | jq -r '.restartNeeded[]'

${EXIT_CODES_HELP}`;

export function addReloadCommand(program: Command, context: CliContext): void {
  const command = program.command('reload').description('make the daemon read its config again');
  addDaemonOptions(command)
    .addHelpText('after', HELP)
    .action(() => reload(context, command.optsWithGlobals<DaemonOptions>()));
}

async function reload(context: CliContext, options: DaemonOptions): Promise<void> {
  const daemon = await findDaemon(context, options);
  const body = await daemon.post('/api/v1/reload', undefined).catch((error: unknown) => Promise.reject(explained(error)));
  context.print(options.json ? body : describeReload(JSON.parse(body) as Outcome));
}

function describeReload({ changed, restartNeeded = [] }: Outcome): string {
  const live = changed === undefined ? 'reloaded' : `reloaded: ${changed.join(', ') || 'nothing changed'}`;
  return restartNeeded.length === 0 ? live : `${live}\nneeds a restart: ${restartNeeded.join(', ')}`;
}

/** Config errors keep their lines, as "config check" prints them. */
function explained(error: unknown): unknown {
  if (error instanceof RelaydError && Array.isArray(error.data['problems'])) {
    return new PlainFailure([...error.message.split('\n'), 'relayd: the config is wrong, so the daemon keeps its old one'], error.exitCode);
  }
  return error;
}
