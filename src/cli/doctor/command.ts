import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { checkAll, failed, ok } from '../../doctor/index.ts';
import type { Group } from '../../doctor/index.ts';
import type { LoadedConfig } from '../../config/index.ts';
import type { CliContext } from '../context.ts';
import { addDaemonOptions } from '../daemon.ts';
import { EXIT_FAILED, EXIT_USAGE } from '../exit-codes.ts';
import { PlainFailure } from '../failure.ts';
import { gatherFacts } from './gather.ts';
import type { DoctorOptions } from './gather.ts';
import { renderGroups } from './report.ts';

const HELP = `
Looks at the config, the machine and, where one runs with this config, the daemon. Each item is ok, a warning, or failed, and says what to do.
Without a daemon it listens for a moment where the daemon would, so that peers can be asked.

With --json: [{"item", "status": "ok" | "warning" | "failed", "reason", "advice"}]

A warning that is known and meant becomes ok by its name in doctor.acknowledge of the config.

Examples:
  relayd doctor --config relay.yaml
  relayd doctor --ask /ip4/198.51.100.9/tcp/4001/p2p/12D3KooW…     can that peer reach this one?
  relayd doctor --prometheus http://127.0.0.1:9090
  relayd doctor --failover                                          on a client: lose the best relay, and time the way back
  relayd doctor --json | jq -r '.[] | select(.status == "failed") | .item'

Exit codes:
  0   no item failed
  1   an item failed
  64  wrong usage`;

export function addDoctorCommand(program: Command, context: CliContext): void {
  const command = program.command('doctor').description('go through the checklist of the profile: what is wrong, and what to do');
  addDaemonOptions(command, 'the items as JSON')
    .option('--file-only', 'the config and this machine alone: looks for no daemon, listens nowhere, asks nobody')
    .option('--ask <address>', 'full address of a peer that is asked to dial back, beside the relays of the config; may be repeated', collectPeer)
    .option('--prometheus <url>', 'Prometheus, which is asked for its alert rules', parseUrl)
    .option('--failover', 'drops the best relay of the running client, with the circuits over it, and times the way back')
    .addHelpText('after', HELP)
    .action(() => doctor(context, command.optsWithGlobals<DoctorOptions>()));
}

async function doctor(context: CliContext, options: DoctorOptions): Promise<void> {
  const groups = await examine(context, options);
  const items = groups.flatMap((group) => group.items);
  context.print(options.json ? JSON.stringify(items) : renderGroups(groups, context.io.stdout.isTTY === true && context.io.env['NO_COLOR'] === undefined));
  if (items.some(({ status }) => status === 'failed')) context.exitCode = EXIT_FAILED;
}

/** A config that is wrong is a finding like others; there is nothing else to look at then. */
async function examine(context: CliContext, options: DoctorOptions): Promise<Group[]> {
  const { formatProblem, loadConfig } = await import('../../config/index.ts');
  const loaded = loadConfig(context.sources(options));
  if (!loaded.ok) {
    return [{ title: 'Config', items: [failed('config', loaded.problems.map(formatProblem).join('\n'), 'set right what each line says; relayd config check shows the same')] }];
  }
  const right = ok('config', `${named(loaded)} (profile ${loaded.config.profile}, role ${loaded.config.role})`);
  return [{ title: 'Config', items: [right] }, ...checkAll(await gatherFacts(context, options, loaded.config))];
}

function named({ file }: LoadedConfig): string {
  return file ?? 'no file: defaults and what was given';
}

function collectPeer(value: string, before: string[] = []): string[] {
  if (!/^\/.+\/p2p\/[^/]+$/.test(value)) {
    throw new InvalidArgumentError('It needs a full address that ends in /p2p/ and a peer id.');
  }
  return [...before, value];
}

function parseUrl(value: string): string {
  if (!URL.canParse(value) || !['http:', 'https:'].includes(new URL(value).protocol)) {
    throw new InvalidArgumentError('It needs the form http://host:port.');
  }
  const { username, password } = new URL(value);
  // They would stand in the items, which people show to others; commander's own error would quote them too.
  if (username !== '' || password !== '') {
    throw new PlainFailure(['relayd: --prometheus: it needs the form http://host:port, without a user name and a password'], EXIT_USAGE);
  }
  return value.replace(/\/$/, '');
}
