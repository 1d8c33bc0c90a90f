import type { Command } from 'commander';
import type { RevokedPeer, TokenRow } from '../realm/index.ts';
import { formatBandwidth, formatDuration, formatSize } from '../config/units.ts';
import type { TokenLimits } from '../lib/membership/verifier.ts';
import type { CliContext, GlobalOptions } from './context.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { ago, plural, text, until } from './format.ts';
import type { Style } from './format.ts';
import { authorityOf } from './realm-authority.ts';
import { renderTable } from './table.ts';
import type { Column } from './table.ts';

interface ListOptions extends GlobalOptions {
  wide?: boolean;
  json?: boolean;
}

const HELP = `
STATE: valid, expired, or revoked (the token, or its peer). A token is forgotten a week after its end.
PEER: the member, or how many peers may use a token that names none. With --wide: limits of the token's own, too.

Examples:
  relayd realm list
  relayd realm list --json | jq -r '.tokens[] | select(.state == "valid") | .id'

${EXIT_CODES_HELP}`;

const TOKENS: readonly Column<TokenRow>[] = [
  { title: 'ID', value: (row, style) => text(row.id, style) },
  { title: 'STATE', value: (row, style) => text(row.state, style) },
  { title: 'PEER', value: (row, style) => (row.peer === undefined ? `any (${plural(row.maxPeers ?? 1, 'peer')})` : text(row.peer, style)) },
  { title: 'USES', value: (row, style) => text(row.uses.join(' '), style) },
  { title: 'ISSUED', value: (row, style) => ago(row.issuedAt, style) },
  { title: 'EXPIRES', value: expiry },
  { title: 'LIMITS', value: (row) => limitsText(row.limits), wide: true },
  { title: 'NOTE', value: (row, style) => text(row.note, style) },
];

const PEERS: readonly Column<RevokedPeer>[] = [
  { title: 'REVOKED PEER', value: (row, style) => text(row.peer, style) },
  { title: 'SINCE', value: (row, style) => ago(row.revokedAt, style) },
];

export function addRealmListCommand(realm: Command, context: CliContext): void {
  realm
    .command('list')
    .description('the tokens that were issued, and the peers that were revoked')
    .option('-w, --wide', 'peer ids in full, and limits')
    .option('--json', 'as JSON: {"realm", "authority", "tokens", "revokedPeers"}')
    .addHelpText('after', HELP)
    .action((_options, command: Command) => list(context, command.optsWithGlobals<ListOptions>()));
}

async function list(context: CliContext, options: ListOptions): Promise<void> {
  const authority = await authorityOf(context, options);
  const listing = await authority.list();
  if (options.json) {
    context.print(JSON.stringify({ realm: authority.name, authority: authority.publicKey, ...listing }));
    return;
  }
  const { tokens, revokedPeers } = listing;
  const style = { wide: options.wide ?? false, now: Date.now() };
  context.print(tokens.length === 0 ? `No token of the realm ${authority.name} is out.` : renderTable(TOKENS, tokens, style));
  if (revokedPeers.length > 0) context.print(`\n${renderTable(PEERS, revokedPeers, style)}`);
}

function expiry(row: TokenRow, style: Style): string {
  return Date.parse(row.expiresAt) <= style.now ? ago(row.expiresAt, style) : until(row.expiresAt, style);
}

/** As the options of `realm issue` take them. */
function limitsText({ circuits, durationMs, bytesPerDirection, bandwidth }: TokenLimits): string {
  const parts = [
    circuits === undefined ? [] : [plural(circuits, 'circuit')],
    durationMs === undefined ? [] : [formatDuration(durationMs)],
    bytesPerDirection === undefined ? [] : [formatSize(bytesPerDirection)],
    bandwidth === undefined ? [] : [formatBandwidth(bandwidth)],
  ].flat();
  return text(parts.join(' '), { wide: true });
}
