import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CliContext, GlobalOptions } from '../context.ts';
import { EXIT_CODES_HELP } from '../exit-codes.ts';

interface MigrateOptions extends GlobalOptions {
  identity?: string;
  swarmKey?: string;
  dataDir?: string;
  yes?: boolean;
  json?: boolean;
}

const HELP = `
OLD-FILE is the JSON file that libp2p-relay-daemon was started with (-config), --identity the key beside it (-id, "identity" unless it was
named otherwise). The new config goes to the file that --config names, the key to identity.key in the data directory. Neither is ever
overwritten, and the old files stay as they are. Without --yes nothing is written: what would be is printed.

Examples:
  relayd migrate relay.json --identity identity --config relay.yaml
  relayd migrate relay.json --identity identity --config /etc/relayd/relay.yaml --data-dir /var/lib/relayd --yes

${EXIT_CODES_HELP}`;

export function addMigrateCommand(program: Command, context: CliContext): void {
  program
    .command('migrate')
    .argument('<old-file>', 'its config, JSON')
    .description('move over from libp2p-relay-daemon (Go), with its config and its peer id')
    .option('--identity <file>', 'its key file: the peer id stays the same')
    .option('--swarm-key <file>', 'its private network key (-swarmkey)')
    .option('--data-dir <dir>', 'where the new daemon keeps its state (default: as without a config)')
    .option('-y, --yes', 'write the files')
    .option('--json', 'as JSON: what becomes of each field')
    .addHelpText('after', HELP)
    .action((oldFile: string, _options, command: Command) => migrate(context, oldFile, checked(command)));
}

/** A file is written, which holds what it says: options that change a config for one run have no place here. */
function checked(command: Command): MigrateOptions & { config: string } {
  const options = command.optsWithGlobals<MigrateOptions>();
  if (options.config === undefined) {
    command.error('relayd: --config is missing: the file to write');
  }
  if (options.set !== undefined || options.profile !== undefined || options.role !== undefined) {
    command.error('relayd: --set, --profile and --role do not go into the new file: edit it afterwards');
  }
  return { ...options, config: options.config };
}

async function migrate(context: CliContext, oldFile: string, options: MigrateOptions & { config: string }): Promise<void> {
  const { planMigration } = await import('./planning.ts');
  const { migrationJson, migrationText } = await import('./report.ts');
  const planned = await planMigration(await readOld(oldFile), { ...options, oldFile, env: context.io.env });
  if (options.yes === true) {
    const { writeMigration } = await import('./writing.ts');
    await writeMigration(planned);
  }
  const identity = planned.identity === undefined ? undefined : { peerId: planned.identity.peerId.toString(), type: planned.identity.privateKey.type };
  const migration = { plan: planned.plan, from: { config: oldFile, identity: options.identity }, to: { config: resolve(options.config), identity: planned.keyFile }, identity, written: options.yes === true };
  context.print(options.json === true ? migrationJson(migration) : migrationText(migration));
}

async function readOld(file: string): Promise<string> {
  const { RelaydError } = await import('../../lib/errors.ts');
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new RelaydError('FILE_UNREADABLE', `${file} cannot be read; it must be there, and readable by the user that runs this`, { cause });
  });
}
