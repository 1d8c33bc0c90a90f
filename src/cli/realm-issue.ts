import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { TokenLimits, TokenUse } from '../lib/membership/verifier.ts';
import { bandwidth, durationMs, sizeBytes, wholeNumber } from './arguments.ts';
import type { CliContext, GlobalOptions } from './context.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { lifeMs, maxPeers as peersOf, note as noteOf, peerId } from './invitation/options.ts';
import { TUNNEL_PREFIX } from '../realm/content.ts';
import { NAME_FORM, isName } from '../realm/names.ts';
import { authorityOf } from './realm-authority.ts';
import { issueNote } from './realm-notes.ts';

interface IssueCommandOptions extends GlobalOptions {
  peer?: string;
  maxPeers?: number;
  expires: number;
  uses: TokenUse[];
  circuits?: number;
  duration?: number;
  bytes?: number;
  bandwidth?: number;
  note?: string;
  json?: boolean;
}

const HELP = `
Uses: reserve (hold a reservation on a relay), connect (open circuits through it), tunnel:NAME (use that tunnel).
Without --peer, whoever has the token is a member: each relay, or cluster of relays, lets in the first --max-peers peers that come with it.
Limits take the place of those that the relay has for members; each may be left out.
Standard output has the token alone, and standard error what it is for.

Examples:
  (umask 077; relayd realm issue --peer 12D3KooW… --note "Anna's laptop" > anna.token)
  relayd realm issue --max-peers 5 --expires 2h --uses connect
  relayd realm issue --peer 12D3KooW… --uses reserve,connect,tunnel:ssh --circuits 4 --bandwidth 1MiB/s

${EXIT_CODES_HELP}`;

/** A renewal once a month is no trouble, and a token that got lost is not worth much for long. */
const DEFAULT_LIFE = { ms: 30 * 86_400_000, text: '30d' };
const DEFAULT_USES: TokenUse[] = ['reserve', 'connect'];

const MOST = Number.MAX_SAFE_INTEGER;

export function addRealmIssueCommand(realm: Command, context: CliContext): void {
  realm
    .command('issue')
    .description('print a new membership token')
    .option('--peer <id>', 'for this peer alone (its `relayd key show`)', peerId)
    .addOption(new Option('--max-peers <number>', 'without --peer: how many different peers may use it on a relay, or over all relays of a cluster (default: 1)').argParser(peersOf).conflicts('peer'))
    .addOption(new Option('--expires <duration>', 'how long it holds').argParser(lifeMs).default(DEFAULT_LIFE.ms, DEFAULT_LIFE.text))
    .addOption(new Option('--uses <list>', 'what it allows, separated by commas').argParser(parseUses).default(DEFAULT_USES, DEFAULT_USES.join(',')))
    .option('--circuits <number>', 'at most so many circuits at a time', wholeNumber(1, MOST))
    .option('--duration <duration>', 'each circuit ends after so long', durationMs)
    .option('--bytes <size>', 'each circuit carries at most so much in either direction', sizeBytes)
    .option('--bandwidth <rate>', 'all circuits together, per second', bandwidth)
    .option('--note <text>', 'for `realm list`; not in the token', noteOf)
    .option('--json', 'as JSON: {"id", "token", "expiresAt", "peer", "maxPeers", "uses", "limits"}')
    .addHelpText('after', HELP)
    .action((_options, command: Command) => issue(context, command.optsWithGlobals<IssueCommandOptions>()));
}

async function issue(context: CliContext, options: IssueCommandOptions): Promise<void> {
  const { peer, maxPeers, expires: expiresMs, uses, note } = options;
  const authority = await authorityOf(context, options);
  const limits = limitsOf(options);
  const { id, token, expiresAt } = await authority.issue({ peer, maxPeers, expiresMs, uses, limits, note });
  if (options.json) {
    context.print(JSON.stringify({ id, token, expiresAt, peer: peer ?? null, maxPeers: peer === undefined ? (maxPeers ?? 1) : null, uses, limits }));
    return;
  }
  context.print(token);
  context.printError(issueNote({ id, peer, maxPeers, expiresMs, uses }, authority));
}

function limitsOf({ circuits, duration, bytes, bandwidth: rate }: IssueCommandOptions): TokenLimits {
  return {
    ...(circuits === undefined ? {} : { circuits }),
    ...(duration === undefined ? {} : { durationMs: duration }),
    ...(bytes === undefined ? {} : { bytesPerDirection: bytes }),
    ...(rate === undefined ? {} : { bandwidth: rate }),
  };
}

/** For commander: `reserve,connect,tunnel:NAME`. */
export function parseUses(text: string): TokenUse[] {
  return text.split(',').map((word) => {
    const use = word.trim();
    if (use !== 'reserve' && use !== 'connect' && !isTunnel(use)) {
      throw new InvalidArgumentError(`"${use}" is no use; reserve, connect and tunnel:NAME are, separated by commas; a NAME has ${NAME_FORM}.`);
    }
    return use;
  });
}

function isTunnel(use: string): use is `tunnel:${string}` {
  return use.startsWith(TUNNEL_PREFIX) && isName(use.slice(TUNNEL_PREFIX.length));
}
