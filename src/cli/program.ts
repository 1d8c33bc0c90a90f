import { Command, InvalidArgumentError, Option } from 'commander';
import { addCircuitsCommand } from './circuits.ts';
import { addCompletionCommand } from './completion.ts';
import { addConfigCommand } from './config.ts';
import { VERSION } from '../node/version.ts';
import type { CliContext } from './context.ts';
import { addDoctorCommand } from './doctor/command.ts';
import { addDrainCommand } from './drain.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { addKeyCommand } from './key.ts';
import { addMigrateCommand } from './migrate/command.ts';
import { addInviteCommand } from './invitation/invite.ts';
import { addJoinCommand } from './invitation/join.ts';
import { addOpenCommand } from './invitation/open.ts';
import { addShareCommand } from './invitation/share.ts';
import { addPeersCommand } from './peers.ts';
import { addPingCommand } from './ping.ts';
import { addRealmCommand } from './realm.ts';
import { addRelaysCommand } from './relays.ts';
import { addReloadCommand } from './reload.ts';
import { addReservationsCommand } from './reservations.ts';
import { addRunCommand } from './run.ts';
import { addStatusCommand } from './status.ts';
import { addTunnelsCommand } from './tunnels.ts';

const HELP_END = `
Examples:
  relayd run                                       a relay with the defaults of tier1
  relayd run --config relay.yaml                   with a file
  relayd run --role client --set 'client.relays=[/ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…]'
  relayd config check --config relay.yaml          is it right?
  relayd doctor --config relay.yaml                is the whole of it right: ports, limits, key, monitoring?
  relayd status --watch                            what the daemon does, every 2 s
  relayd ping 12D3KooW… --fresh                    can that peer be reached, and how?
  relayd invite --config relayd.yaml --run         a relay of one's own, and a line that lets another machine in
  relayd join relayd:AQE… --config relayd.yaml --run    what to do with that line

Units in the config and in --set:
  durations 500ms 90s 2m 1h 30d · sizes 64KiB 1MiB 1GiB · bandwidths 10MiB/s · rates 10/s 30/m 30/h
  "unlimited" where a limit may be off

Precedence: flags, environment (RELAYD_RELAY__LIMITS__RESERVATIONS__MAX=64), file, profile, defaults.

${EXIT_CODES_HELP}

"relayd COMMAND --help" says more about each.`;

export function createProgram(context: CliContext): Command {
  const program = new Command('relayd');
  program
    .description('A libp2p circuit relay v2 daemon: relay server, relay client and TCP tunnels.')
    .usage('COMMAND [options]')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain the command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.io.stdout.write(text),
      writeErr: (text) => context.io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error:/, 'relayd:')),
    })
    .configureHelp({ showGlobalOptions: true, subcommandTerm: (command) => `${command.name()} ${command.usage().replace('[options]', '').trim()}`.trim() })
    .showSuggestionAfterError()
    .addHelpText('after', ({ command }) => (command === program ? HELP_END : ''));
  addGlobalOptions(program);
  addCommands(program, context);
  pointToHelp(program);
  return program;
}

/** A usage error ends with the help that is nearest to it. */
function pointToHelp(command: Command): void {
  command.showHelpAfterError(`Try: ${pathOf(command)} --help`);
  command.commands.forEach(pointToHelp);
}

function addGlobalOptions(program: Command): void {
  program
    .addOption(new Option('-c, --config <file>', 'config file (YAML); RELAYD_CONFIG does the same'))
    .addOption(new Option('--profile <name>', 'deployment model').choices(['tier1', 'tier2', 'tier3']))
    .addOption(new Option('--role <role>', 'what the node is').choices(['relay', 'client', 'both']))
    .addOption(new Option('--set <key=value>', 'one config key, such as drain.timeout=1m; may be repeated').argParser(collectSetting));
}

function collectSetting(value: string, before: string[] = []): string[] {
  if (!/^[^=]+=/.test(value)) {
    throw new InvalidArgumentError('It needs the form key.path=value.');
  }
  return [...before, value];
}

function addCommands(program: Command, context: CliContext): void {
  addHelpCommand(program.commandsGroup('Set up and run:'));
  addRunCommand(program, context);
  addConfigCommand(program, context);
  addKeyCommand(program, context);
  addRealmCommand(program, context);
  addMigrateCommand(program, context);
  addCompletionCommand(program, context);
  addDoctorCommand(program, context);
  program.commandsGroup('Bring in other machines:');
  addInviteCommand(program, context);
  addJoinCommand(program, context);
  addShareCommand(program, context);
  addOpenCommand(program, context);
  program.commandsGroup('Look at the running daemon:');
  addStatusCommand(program, context);
  addReservationsCommand(program, context);
  addCircuitsCommand(program, context);
  addPeersCommand(program, context);
  addRelaysCommand(program, context);
  addTunnelsCommand(program, context);
  program.commandsGroup('Make the running daemon do something:');
  addPingCommand(program, context);
  addReloadCommand(program, context);
  addDrainCommand(program, context);
  // Else they would inherit the program's own, and its group.
  program.commands.filter(({ commands }) => commands.length > 0).forEach(addHelpCommand);
}

function addHelpCommand(command: Command): void {
  command.helpCommand('help [command]', 'explain a command');
}

/** `relayd config check` */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
