import type { Command } from 'commander';
import type { LoadedConfig } from '../config/index.ts';
import { createLogger } from '../lib/logger.ts';
import type { CliContext, GlobalOptions } from './context.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { createNotify } from './notify.ts';
import { supervise } from './supervise.ts';
import { holdYoungGeneration } from './young-generation.ts';

const HELP = `
Runs in the foreground. The log is on stdout, as JSON lines or, on a terminal, as text (log.format). Once it serves, exactly one line
has "event":"ready", with peerId, addrs, admin, pid, profile and role, whatever the log level.

Signals:
  SIGTERM, SIGINT   take nothing new, let circuits and busy tunnels end for up to drain.timeout, stop, exit 0; a second one: exit 1 at once
  SIGHUP            read the config again; a wrong one is refused and the old one kept

Under systemd (Type=notify, NotifyAccess=all) it reports when it is ready, reloading and stopping.

Examples:
  relayd run
  relayd run --config /etc/relayd/relay.yaml
  relayd run --role client --set 'client.relays=[/ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…]'
  relayd run --set network.listen=[/ip4/127.0.0.1/tcp/0] --set network.allowPrivate=true    on this machine only

${EXIT_CODES_HELP}`;

export function addRunCommand(program: Command, context: CliContext): void {
  program
    .command('run')
    .description('run the daemon, in the foreground')
    .addHelpText('after', HELP)
    .action((_options, command: Command) => run(context, command.optsWithGlobals<GlobalOptions>()));
}

/** @throws whatever the start of the node throws */
export async function run(context: CliContext, options: GlobalOptions): Promise<void> {
  const letYoungGenerationGo = holdYoungGeneration();
  const loaded = await context.loadConfig(options);
  const { config } = loaded;
  try {
    context.exitCode = await runNode(context, options, loaded);
  } catch (error) {
    const verbose = config.log.level === 'debug' || config.log.level === 'trace';
    if (verbose && error instanceof Error) context.printError(error.stack ?? '');
    throw error;
  } finally {
    letYoungGenerationGo();
  }
}

async function runNode(context: CliContext, options: GlobalOptions, { config, layers }: LoadedConfig): Promise<number> {
  const [{ RelayNode }, { loadConfig }] = await Promise.all([import('../node/index.ts'), import('../config/index.ts')]);
  const log = createLogger(config.log);
  const node = new RelayNode(config, { log, layers, reloadConfig: () => loadConfig(context.sources(options)) });
  const { profile, role } = config;
  const { env, signals, exitNow } = context.io;
  return supervise({ node, log, facts: { profile, role }, notify: createNotify(env, log), signals, exitNow });
}
