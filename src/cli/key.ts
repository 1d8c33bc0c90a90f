import type { Command } from 'commander';
import type { CliContext, GlobalOptions } from './context.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';

interface KeyOptions extends GlobalOptions {
  json?: boolean;
}

const HELP = `
The key is in the file that identity.keyFile of the config names; "relayd run" makes one at its first start.

Examples:
  relayd key show --json --config relay.yaml
  relayd key new --set identity.keyFile=./spare.key

${EXIT_CODES_HELP}`;

export function addKeyCommand(program: Command, context: CliContext): void {
  const key = program.command('key').description("show or make the node's identity key");
  key
    .command('show')
    .description('print the peer id of the key')
    .option('--json', 'as JSON: {"peerId", "keyFile"}')
    .addHelpText('after', HELP)
    .action((_options, command: Command) => show(context, command.optsWithGlobals<KeyOptions>()));
  key
    .command('new')
    .description('make a key where none is; an existing one is never replaced')
    .option('--json', 'as JSON: {"peerId", "keyFile"}')
    .addHelpText('after', HELP)
    .action((_options, command: Command) => create(context, command.optsWithGlobals<KeyOptions>()));
}

async function show(context: CliContext, options: KeyOptions): Promise<void> {
  const { keyFile } = (await context.loadConfig(options)).config.identity;
  const { loadIdentity } = await import('../node/identity.ts');
  const peerId = (await loadIdentity(keyFile)).peerId.toString();
  context.print(options.json ? JSON.stringify({ peerId, keyFile }) : peerId);
}

async function create(context: CliContext, options: KeyOptions): Promise<void> {
  const { keyFile } = (await context.loadConfig(options)).config.identity;
  const { createIdentity } = await import('../node/identity.ts');
  const peerId = (await createIdentity(keyFile)).peerId.toString();
  context.print(options.json ? JSON.stringify({ peerId, keyFile }) : `${peerId}\nwritten to ${keyFile}; whoever has this file is this peer, so keep a copy in a safe place`);
}
