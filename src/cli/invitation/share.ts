import { Option } from 'commander';
import type { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import type { CliContext } from '../context.ts';
import { EXIT_CODES_HELP } from '../exit-codes.ts';
import type { ShareOptions } from './sharing.ts';
import { lifeMs, maxPeers, name, relayAddress } from './options.ts';

const HELP = `
Runs in the foreground until Ctrl-C. Once a relay has taken it in, one line that begins "relayd:" is printed on stdout; "relayd open LINE" on
another machine reaches the port, through the relay or directly, and nobody else does. Started again, the share has the same line.

The relays: --relay, else those of the config (client.relays, discovery). A token that the config names (realm.tokenFile) is shown to them.

Examples:
  relayd share 8080 --relay /ip4/203.0.113.7/tcp/4001/p2p/12D3KooW…
  relayd share 22 --config relayd.yaml --max-peers 3 --expires 2h

${EXIT_CODES_HELP}`;

const MAX_PORT = 65_535;
/** A share is for now, not for ever. */
const DEFAULT_EXPIRES = '1d';

export function addShareCommand(program: Command, context: CliContext): void {
  program
    .command('share')
    .argument('<port>', 'the TCP port of a service on this machine', wholeNumber(1, MAX_PORT))
    .description('let another machine reach a TCP port of this one')
    .option('--name <name>', 'what the service is called (default: port-PORT)', name)
    .option('--relay <address>', 'a relay to use; may be repeated (default: those of the config)', relayAddress)
    .option('--max-peers <n>', 'how many machines may open the line', maxPeers, 1)
    .addOption(new Option('--expires <duration>', 'how long the line is good for').argParser(lifeMs).default(lifeMs(DEFAULT_EXPIRES), DEFAULT_EXPIRES))
    .option('--qr', 'show the line as a QR code too, on stderr')
    .addHelpText('after', HELP)
    .action(async (port: number, _options, command: Command) => {
      const { share } = await import('./sharing.ts');
      await share(context, port, command.optsWithGlobals<ShareOptions>());
    });
}
