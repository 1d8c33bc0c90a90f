import type { Command } from 'commander';
import type { CliContext, GlobalOptions } from './context.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { authorityOf } from './realm-authority.ts';
import { revokeNote } from './realm-notes.ts';

interface RevokeOptions extends GlobalOptions {
  undo?: boolean;
  json?: boolean;
}

const HELP = `
A token is revoked for good. A peer that is revoked is no member by any token, nor by realm.members; --undo lets it in again.
The signed list of all this is written to realm/revocations in the data directory.

Examples:
  relayd realm revoke 3f9c2ab1d4e85f60
  relayd realm revoke 12D3KooW…
  relayd realm revoke --undo 12D3KooW…

${EXIT_CODES_HELP}`;

export function addRealmRevokeCommand(realm: Command, context: CliContext): void {
  realm
    .command('revoke')
    .description('take back a token, or all that makes a peer a member')
    .argument('<id>', 'the id of a token (`relayd realm list`), the token itself, or a peer id')
    .option('--undo', 'let a peer that was revoked be a member again')
    .option('--json', 'as JSON: {"kind", "what", "sequence", "file"}')
    .addHelpText('after', HELP)
    .action((what: string, _options, command: Command) => revoke(context, what, command.optsWithGlobals<RevokeOptions>()));
}

async function revoke(context: CliContext, what: string, options: RevokeOptions): Promise<void> {
  const { revocationFile } = (await context.loadConfig(options)).config.realm;
  const authority = await authorityOf(context, options);
  const done = options.undo ? await authority.readmit(what) : await authority.revoke(what);
  context.print(options.json ? JSON.stringify(done) : revokeNote(done, { isUndone: options.undo ?? false, revocationFile }));
}
