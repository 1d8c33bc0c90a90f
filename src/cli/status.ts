import type { Command } from 'commander';
import type { RelayCounts } from '../lib/contracts.ts';
import type { CliContext } from './context.ts';
import { findDaemon } from './daemon.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { bytes, count, duration, limit, plural, text } from './format.ts';
import type { Style } from './format.ts';
import { addViewOptions } from './listing.ts';
import type { ViewOptions } from './listing.ts';
import { show } from './watch.ts';

/** What `GET /api/v1/status` answers, as far as it is shown; all of it may be missing in another version's. */
interface Status {
  peerId?: string;
  version?: string;
  profile?: string;
  role?: string;
  state?: string;
  uptimeSeconds?: number;
  addrs?: string[];
  connections?: { open?: number; max?: number };
  relay?: Partial<RelayCounts>;
  client?: { desired?: number; held?: number; circuitAddrs?: string[] };
  process?: { pid?: number; rssBytes?: number; eventLoopDelayMs?: { p99?: number } };
}

const HELP = `
Shows what the daemon is and does; "--json" has all of it.

Examples:
  relayd status
  relayd status --json | jq -r .state       starting, ready or draining
  relayd status --watch

${EXIT_CODES_HELP}`;

export function addStatusCommand(program: Command, context: CliContext): void {
  const command = program.command('status').description('what the daemon is and does');
  addViewOptions(command)
    .addHelpText('after', HELP)
    .action(() => status(context, command.optsWithGlobals<ViewOptions>()));
}

async function status(context: CliContext, options: ViewOptions): Promise<void> {
  const daemon = await findDaemon(context, options);
  await show(context, options.watch ?? false, async (signal) => {
    const body = await daemon.get('/api/v1/status', { signal });
    return options.json ? body : renderStatus(JSON.parse(body) as Status, { wide: true, now: Date.now() });
  });
}

type Fact = [label: string, lines: string[]];

/** Peer ids are in full here: this is where one copies the node's own from. */
export function renderStatus(status: Status, style: Style): string {
  const facts: Fact[] = [
    ['peer', [text(status.peerId, style)]],
    ['state', [`${text(status.state, style)}, up ${duration((status.uptimeSeconds ?? Number.NaN) * 1000)}`]],
    ['runs', [`version ${text(status.version, style)}, profile ${text(status.profile, style)}, role ${text(status.role, style)}`]],
    ['addresses', lines(status.addrs, 'none', style)],
    ...connectionFacts(status),
    ...relayFacts(status.relay),
    ...clientFacts(status.client, style),
    ...processFacts(status.process),
  ];
  const width = Math.max(...facts.map(([label]) => label.length)) + 2;
  return facts.map(([label, values]) => values.map((value, i) => `${(i === 0 ? label : '').padEnd(width)}${value}\n`).join('')).join('');
}

function connectionFacts({ connections }: Status): Fact[] {
  return connections === undefined ? [] : [['connections', [`${count(connections.open)} of at most ${limit(connections.max)}`]]];
}

function relayFacts(relay: Status['relay']): Fact[] {
  if (relay === undefined || relay === null) {
    return [];
  }
  const { reservations, circuits, bytesRelayed, bufferedBytes } = relay;
  return [
    ['reservations', [`${count(reservations?.count)} of at most ${limit(reservations?.max)}`]],
    ['circuits', [`${count(circuits?.count)} of at most ${limit(circuits?.max)}`]],
    ['relayed', [`${bytes(bytesRelayed)}, ${bytes(bufferedBytes)} buffered`]],
  ];
}

function clientFacts(client: Status['client'], style: Style): Fact[] {
  if (client === undefined || client === null) {
    return [];
  }
  return [
    ['relays held', [`${count(client.held)} of ${count(client.desired)} wanted`]],
    ['reachable at', lines(client.circuitAddrs, 'no relay yet', style)],
  ];
}

function processFacts(process: Status['process']): Fact[] {
  if (process === undefined || process === null) {
    return [];
  }
  const delay = process.eventLoopDelayMs?.p99;
  return [['process', [`${count(process.pid)}, ${bytes(process.rssBytes)} of memory${delay === undefined ? '' : `, event loop ${delay} ms late (p99)`}`]]];
}

function lines(values: string[] | undefined, none: string, style: Style): string[] {
  return values === undefined || values.length === 0 ? [none] : values.map((value) => text(value, style));
}

/** `2 circuits and 1 reservation` */
export function remaining({ circuits, reservations }: { circuits: number; reservations: number }): string {
  return `${plural(circuits, 'circuit')} and ${plural(reservations, 'reservation')}`;
}
