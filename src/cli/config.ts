import type { Command } from 'commander';
import type { CliContext, GlobalOptions } from './context.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';

interface PrintOptions extends GlobalOptions {
  origin?: boolean;
  json?: boolean;
}

const CHECK_HELP = `
Each thing that is wrong is one line on stderr:
  FILE:LINE:COLUMN: key.path: what is wrong; what would be right

Examples:
  relayd config check relay.yaml
  relayd config check --config relay.yaml --role client

${EXIT_CODES_HELP}`;

const PRINT_HELP = `
Examples:
  relayd config print --profile tier2              what a profile gives
  relayd config print --config relay.yaml --origin    and where each value comes from

${EXIT_CODES_HELP}`;

const SCHEMA_HELP = `
Example, for an editor's YAML support:
  relayd config schema > relayd.schema.json

${EXIT_CODES_HELP}`;

export function addConfigCommand(program: Command, context: CliContext): void {
  const config = program.command('config').description('check the config, print it, or print its JSON Schema');
  config
    .command('check')
    .argument('[file]', 'the same as --config')
    .description('say whether the config is right')
    .addHelpText('after', CHECK_HELP)
    .action((file: string | undefined, _options, command: Command) => check(context, withFile(command, file)));
  config
    .command('print')
    .argument('[file]', 'the same as --config')
    .description('print the value of every key as it would be used')
    .option('--origin', 'say where each value comes from')
    .option('--json', 'as JSON')
    .addHelpText('after', PRINT_HELP)
    .action((file: string | undefined, _options, command: Command) => print(context, withFile(command, file)));
  config
    .command('schema')
    .description('print the JSON Schema of the config file')
    .addHelpText('after', SCHEMA_HELP)
    .action(() => schema(context));
}

function withFile(command: Command, file: string | undefined): PrintOptions {
  const options = command.optsWithGlobals<PrintOptions>();
  if (file !== undefined && options.config !== undefined) {
    command.error(`relayd: two config files: ${file} and --config ${options.config}`);
  }
  return { ...options, config: file ?? options.config };
}

async function check(context: CliContext, options: GlobalOptions): Promise<void> {
  const { config, file } = await context.loadConfig(options);
  context.print(`${file ?? 'no file, defaults and what was given'}: ok (profile ${config.profile}, role ${config.role})`);
}

async function print(context: CliContext, options: PrintOptions): Promise<void> {
  const loaded = await context.loadConfig(options);
  const { printConfig } = await import('../config/index.ts');
  context.print(printConfig(loaded, { origin: options.origin ?? false, json: options.json ?? false }));
}

async function schema(context: CliContext): Promise<void> {
  const { configJsonSchema } = await import('../config/index.ts');
  context.print(JSON.stringify(configJsonSchema(), null, 2));
}
