import type { Command } from 'commander';
import type { RelayCounts } from '../lib/contracts.ts';
import { CLUSTER_LEGEND, readCluster, renderCluster } from './cluster.ts';
import type { CliContext } from './context.ts';
import { addDaemonOptions, findDaemon } from './daemon.ts';
import type { DaemonOptions } from './daemon.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import { bytes, count, duration, millis, outOf, plural, text, until } from './format.ts';
import { addWatchOption, show } from './watch.ts';
import type { WatchOptions } from './watch.ts';

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
  client?: { desired?: number; held?: number; circuitAddrs?: string[]; reachability?: string; reachableAddrs?: string[] };
  cluster?: { cluster?: string; backend?: string; problem?: string | null; relays?: number };
  realm?: { name?: string | null; authority?: string | null; revocations?: number; token?: { id?: string; expiresAt?: string } | null };
  process?: { pid?: number; rssBytes?: number; eventLoopDelayMs?: { p99?: number } };
}

const HELP = `
Shows what the daemon is and does; "--json" has all of it.

Examples:
  relayd status
  relayd status --json | jq -r .state       starting, ready or draining
  relayd status --watch
  relayd status --cluster                   the relays of this relay's cluster, their load, and the limits over all of them

Of a cluster:
${CLUSTER_LEGEND}
HERE: what this relay holds of a limit, or has used. SHARE: what it may hold of it without asking again; - where the store counts each.

${EXIT_CODES_HELP}`;

export function addStatusCommand(program: Command, context: CliContext): void {
  const command = program.command('status').description('what the daemon is and does');
  addWatchOption(addDaemonOptions(command))
    .option('--cluster', 'the whole cluster that this relay belongs to')
    .option('-w, --wide', 'with --cluster: peer ids in full, and addresses')
    .addHelpText('after', HELP)
    .action(() => showStatus(context, command.optsWithGlobals<StatusOptions>()));
}

async function showStatus(context: CliContext, options: StatusOptions): Promise<void> {
  const daemon = await findDaemon(context, options);
  await show(context, options.watch ?? false, async (signal) => {
    if (options.cluster === true) {
      const { body, view } = await readCluster(daemon, signal);
      return options.json ? body : renderCluster(view, { wide: options.wide ?? false, now: Date.now() });
    }
    const body = await daemon.get('/api/v1/status', { signal });
    return options.json ? body : renderStatus(JSON.parse(body) as Status);
  });
}

type StatusOptions = DaemonOptions & WatchOptions & { cluster?: boolean; wide?: boolean };
type Fact = [label: string, lines: string[]];

const FULL = { wide: true };

/** Peer ids are in full here: this is where one copies the node's own from. */
export function renderStatus(status: Status, now = Date.now()): string {
  const facts: Fact[] = [
    ['peer', [text(status.peerId, FULL)]],
    ['state', [`${text(status.state, FULL)}, up ${duration((status.uptimeSeconds ?? Number.NaN) * 1000)}`]],
    ['runs', [`version ${text(status.version, FULL)}, profile ${text(status.profile, FULL)}, role ${text(status.role, FULL)}`]],
    ['addresses', lines(status.addrs, 'none')],
    ...connectionFacts(status),
    ...relayFacts(status.relay),
    ...clientFacts(status.client),
    ...clusterFacts(status.cluster),
    ...realmFacts(status.realm, now),
    ...processFacts(status.process),
  ];
  const width = Math.max(...facts.map(([label]) => label.length)) + 2;
  return facts.map(([label, values]) => values.map((value, i) => `${(i === 0 ? label : '').padEnd(width)}${value}\n`).join('')).join('');
}

function connectionFacts({ connections }: Status): Fact[] {
  return connections === undefined ? [] : [['connections', [outOf(connections.open, connections.max)]]];
}

function relayFacts(relay: Status['relay']): Fact[] {
  if (relay === undefined || relay === null) {
    return [];
  }
  const { reservations, circuits, bytesRelayed, bufferedBytes } = relay;
  return [
    ['reservations', [outOf(reservations?.count, reservations?.max)]],
    ['circuits', [outOf(circuits?.count, circuits?.max)]],
    ['relayed', [`${bytes(bytesRelayed)}, ${bytes(bufferedBytes)} buffered`]],
  ];
}

function clientFacts(client: Status['client']): Fact[] {
  if (client === undefined || client === null) {
    return [];
  }
  return [
    ['relays held', [`${count(client.held)} of ${count(client.desired)} wanted`]],
    ...reachabilityFact(client),
    ['reachable at', lines([...(client.circuitAddrs ?? []), ...(client.reachableAddrs ?? [])], 'no relay yet')],
  ];
}

const REACHABILITY = new Map([
  ['public', 'yes, as peers confirm'],
  ['private', 'no'],
  ['unknown', 'not known yet'],
]);

/** None of a daemon of another version. */
function reachabilityFact({ reachability }: NonNullable<Status['client']>): Fact[] {
  return reachability === undefined ? [] : [['without relay', [REACHABILITY.get(reachability) ?? text(reachability, FULL)]]];
}

function clusterFacts(cluster: Status['cluster']): Fact[] {
  if (cluster === undefined || cluster === null) {
    return [];
  }
  const { cluster: name, backend, problem = null, relays } = cluster;
  const away = problem === null ? [] : [`away, so this relay works by its own part of the limits: ${text(problem, FULL)}`];
  return [['cluster', [`${text(name, FULL)}, by ${text(backend, FULL)}, ${plural(relays ?? 0, 'relay')} known`, ...away]]];
}

function realmFacts(realm: Status['realm'], now: number): Fact[] {
  if (realm === undefined || realm === null) {
    return [];
  }
  const { name, authority, revocations, token } = realm;
  const whose = authority === undefined || authority === null ? 'no authority' : `authority ${text(authority, FULL)}, ${plural(revocations ?? 0, 'revocation')}`;
  const own = token === undefined || token === null ? 'no token of its own' : `own token ${text(token.id, FULL)}, ${end(token.expiresAt, now)}`;
  return [['realm', [`${name === undefined || name === null ? 'without a name' : text(name, FULL)}, ${whose}`, own]]];
}

/** @param time ISO 8601 */
function end(time: unknown, now: number): string {
  const left = until(time, { ...FULL, now });
  return left === 'now' ? 'over' : `ends ${left}`;
}

function processFacts(process: Status['process']): Fact[] {
  if (process === undefined || process === null) {
    return [];
  }
  const delay = process.eventLoopDelayMs?.p99;
  return [['process', [`${count(process.pid)}, ${bytes(process.rssBytes)} of memory${delay === undefined ? '' : `, event loop ${millis(delay)} late (p99)`}`]]];
}

function lines(values: string[] | undefined, none: string): string[] {
  return values === undefined || values.length === 0 ? [none] : values.map((value) => text(value, FULL));
}

/** `2 circuits and 1 reservation`, and of a drain the clients that have been told and hold on: `, 3 clients still to move` */
export function remaining({ circuits, reservations, leaving = 0 }: { circuits: number; reservations: number; leaving?: number }): string {
  const moving = leaving === 0 ? '' : `, ${plural(leaving, 'client')} still to move`;
  return `${plural(circuits, 'circuit')} and ${plural(reservations, 'reservation')}${moving}`;
}
