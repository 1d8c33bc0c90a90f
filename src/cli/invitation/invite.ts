import { Option } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { EXIT_CODES_HELP } from '../exit-codes.ts';
import { parseUses } from '../realm-issue.ts';
import type { InviteOptions } from './inviting.ts';
import { lifeMs, maxPeers, name, note, peerId, relayOrOwnAddress, tunnel } from './options.ts';

const HELP = `
Prints one line that begins "relayd:" and brings another machine in: the addresses of the relays, the realm, a token and, with --tunnel, a
service. The line alone is on stdout, everything else on stderr. "relayd join LINE" takes it.

It needs the realm's authority key in the data directory. Where the config file does not exist yet, all is made: identity, realm and config
(after a question, or with --yes). A config that exists is never changed.

Examples:
  relayd invite --config relayd.yaml --tunnel ssh=127.0.0.1:22 --run    the first time: sets up a relay, prints the line, runs
  relayd invite --config relayd.yaml --tunnel ssh --note 'Anna'         for one more machine
  relayd invite --config relayd.yaml --max-peers 20 --expires 30d       for 20 machines
  relayd invite --config relayd.yaml --relay /dns4/home.example.org/tcp/4001    where the relay is found from outside

${EXIT_CODES_HELP}`;

/** A key that lies about in a mail box should not open a door for long. */
const DEFAULT_EXPIRES = '7d';

export function addInviteCommand(program: Command, context: CliContext): void {
  program
    .command('invite')
    .description('print a line that brings another machine into the realm')
    .option('--tunnel <service>', 'let the guest use this service: NAME of tunnels.expose; NAME=HOST:PORT at the first set-up; NAME@PEER of another node', tunnel)
    .option('--peer <id>', 'for this peer alone', peerId)
    .addOption(new Option('--max-peers <n>', 'how many machines may join with the line (default: 1)').argParser(maxPeers).conflicts('peer'))
    .addOption(new Option('--expires <duration>', 'how long the line, and what it allows, is good for').argParser(lifeMs).default(lifeMs(DEFAULT_EXPIRES), DEFAULT_EXPIRES))
    .option('--uses <list>', 'what the guest may do at the relay: reserve, connect, tunnel:NAME (default: reserve,connect)', parseUses)
    .option('--note <text>', 'for your own list ("relayd realm list")', note)
    .option('--relay <address>', 'an address of a relay for the line, without /p2p/… for this machine; may be repeated (default: what the daemon or the config says)', relayOrOwnAddress)
    .option('--realm <name>', 'the name of the realm, at the first set-up (default: home)', name)
    .option('--qr', 'show the line as a QR code too, on stderr')
    .option('--json', 'as JSON: {"line", "tokenId", "expiresAt", "realm", "relays", "tunnel"}')
    .option('--run', 'then run the daemon, in the foreground')
    .option('-y, --yes', 'do not ask before the first set-up')
    .addHelpText('after', HELP)
    .action(async (_options, command: Command) => {
      const { invite } = await import('./inviting.ts');
      await invite(context, command.optsWithGlobals<InviteOptions>());
    });
}
