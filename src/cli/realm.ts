import type { Command } from 'commander';
import type { CliContext, GlobalOptions } from './context.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { name } from './invitation/options.ts';
import { addRealmIssueCommand } from './realm-issue.ts';
import { addRealmListCommand } from './realm-list.ts';
import { addRealmRevokeCommand } from './realm-revoke.ts';
import { initNote } from './realm-notes.ts';

interface InitOptions extends GlobalOptions {
  name: string;
  json?: boolean;
}

const INIT_HELP = `
The key is made in the data directory (dataDir of the config), in realm/authority.key, and is never replaced.
Standard output has the public key alone, and standard error what to do with it.

Examples:
  relayd realm init --name home
  KEY=$(relayd realm init --name home --set dataDir=./authority)

${EXIT_CODES_HELP}`;

export function addRealmCommand(program: Command, context: CliContext): void {
  const realm = program.command('realm').description('say who is a member: make a realm, issue and revoke its tokens');
  realm
    .command('init')
    .description('make a realm: a key that signs membership tokens')
    .requiredOption('--name <name>', 'what the realm is called; relays and members have it as realm.name', name)
    .option('--json', 'as JSON: {"realm", "authority", "keyFile"}')
    .addHelpText('after', INIT_HELP)
    .action((_options, command: Command) => init(context, command.optsWithGlobals<InitOptions>()));
  addRealmIssueCommand(realm, context);
  addRealmListCommand(realm, context);
  addRealmRevokeCommand(realm, context);
}

async function init(context: CliContext, options: InitOptions): Promise<void> {
  const { dataDir } = (await context.loadConfig(options)).config;
  const { createAuthority } = await import('../realm/index.ts');
  const authority = await createAuthority(dataDir, options.name);
  const { name: realm, publicKey, keyFile } = authority;
  context.print(options.json ? JSON.stringify({ realm, authority: publicKey, keyFile }) : publicKey);
  if (!options.json) context.printError(initNote(authority));
}
