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
  relayd key backup /mnt/usb/relay-identity.key --config relay.yaml

${EXIT_CODES_HELP}`;

export function addKeyCommand(program: Command, context: CliContext): void {
  const key = program.command('key').description("show, make or copy the node's identity key");
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
  key
    .command('backup')
    .argument('<file>', 'a new file; it gets mode 0600')
    .description('copy the key, and note in the data directory that there is a copy')
    .option('--json', 'as JSON: {"peerId", "at", "file", "sameDisk"}')
    .addHelpText('after', HELP)
    .action((file: string, _options, command: Command) => backUp(context, file, command.optsWithGlobals<KeyOptions>()));
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

async function backUp(context: CliContext, file: string, options: KeyOptions): Promise<void> {
  const { identity, dataDir } = (await context.loadConfig(options)).config;
  const { backUpIdentity } = await import('../node/identity-backup.ts');
  const made = await backUpIdentity(identity.keyFile, dataDir, file);
  const hint = made.sameDisk ? '; it lies on the same disk as the key, so take it to another machine now' : '';
  context.print(options.json ? JSON.stringify(made) : `the key of ${made.peerId} is copied to ${made.file}${hint}; whoever has this file is this peer`);
}
