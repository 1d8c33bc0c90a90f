import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { CandidateRow } from '../lib/contracts.ts';
import type { AdminClient } from './admin-client.ts';
import { clusterIfAny, renderClusterRelays } from './cluster.ts';
import type { CliContext } from './context.ts';
import { DEFAULT_TTL_SECONDS, healthyAddrs, zoneRecords } from './dnsaddr.ts';
import { count, duration, millis, percent, text, until } from './format.ts';
import type { Style } from './format.ts';
import { addListing, renderListing } from './listing.ts';
import type { How, Listing } from './listing.ts';

/** What a line of 120 columns has left for words, when the other columns are as wide as they get. */
const REMARK_COLUMNS = 40;

export const RELAYS: Listing<CandidateRow> = {
  name: 'relays',
  description: 'which relays this client knows, and why each is held, in reserve, or neither; the relays of a cluster',
  legend: [
    'STATE: reserved (held), standby (connected, in reserve), candidate, connecting, backoff (waits to try again), lost.',
    'UP: how often it was there when asked, lately. LOAD, REGION: as the relay publishes them.',
    'SCORE: milliseconds that using it is expected to cost; the lower, the better.',
    'FROM: manual (client.relays), bootstrap (discovery.bootstrap), dht, mdns, relay (another named it), cache (of an earlier run).',
  ].join('\n'),
  empty: 'No relay is known. A client finds them in client.relays and discovery.bootstrap of its config, and in the DHT; a relay needs none.',
  columns: [
    { title: 'RELAY', value: (row, style) => text(row.peer, style) },
    { title: 'STATE', value: (row, style) => text(row.state, style) },
    { title: 'RTT', value: (row) => millis(row.rttMs), right: true },
    { title: 'UP', value: (row) => percent(row.availability), right: true },
    { title: 'LOAD', value: (row) => percent(row.load), right: true },
    { title: 'SCORE', value: (row) => count(typeof row.score === 'number' ? Math.round(row.score) : row.score), right: true },
    { title: 'REGION', value: (row, style) => text(row.region, style) },
    { title: 'FROM', value: (row, style) => text(row.source, style) },
    { title: 'EXPIRES', value: (row, style) => until(row.expiresAt, style) },
    { title: 'ADDRESS', value: (row, style) => text(row.addr, style), wide: true },
    { title: 'REMARK', value: (row, style) => remark(row, style) },
  ],
};

function remark({ reason, retryInSeconds }: CandidateRow, style: Style): string {
  const again = retryInSeconds === undefined ? [] : [`again in ${duration(retryInSeconds * 1000)}`];
  const room = REMARK_COLUMNS - again.reduce((sum, part) => sum + part.length + 2, 0);
  const words = reason === undefined ? [] : [style.wide ? reason : cut(text(reason, style), room)];
  return text([...words, ...again].join('; '), style);
}

function cut(words: string, room: number): string {
  return words.length <= room ? words : `${words.slice(0, room - 1)}…`;
}

interface ZoneFlags {
  dnsaddr?: boolean;
  name?: string;
  ttl?: number;
}

export function addRelaysCommand(program: Command, context: CliContext): void {
  const command: Command = addListing(program, context, {
    ...RELAYS,
    read: (daemon, how) => {
      const flags = command.opts<ZoneFlags>();
      return flags.dnsaddr === true ? zone(daemon, how, flags) : tables(daemon, how);
    },
  });
  command
    .option('--dnsaddr', 'DNS records (TXT) by which clients find the relays that serve now, for client.relays: [/dnsaddr/NAME]')
    .option('--name <host>', "with --dnsaddr: NAME, such as relays.example.org (default: the zone's own name)", parseName)
    .option('--ttl <seconds>', `with --dnsaddr: how long a record may be kept (default: ${DEFAULT_TTL_SECONDS})`, parseTtl)
    .addHelpText('after', ZONE_HELP);
}

const ZONE_HELP = `
On a relay of a cluster, the relays of the cluster are shown too, and their records are those that --dnsaddr prints:
  relayd relays --dnsaddr --name relays.example.org
Relays that drain or are not ready are left out. Where none is left, nothing is printed and the exit code is 1.`;

/** What a client holds and knows, and the cluster of a relay; JSON is the client's list, whatever the node is. */
async function tables(daemon: AdminClient, { json, style, signal }: How): Promise<string> {
  const body = await daemon.get('/api/v1/relays', { signal });
  if (json) return body;
  const rows = JSON.parse(body) as CandidateRow[];
  const cluster = await clusterIfAny(daemon, signal);
  if (cluster === undefined) return renderListing(RELAYS, rows, style);
  const own = rows.length === 0 ? '' : `${renderListing(RELAYS, rows, style)}\n`;
  return `${own}Relays of the cluster ${text(cluster.cluster, style)}:\n${renderClusterRelays(cluster, style)}`;
}

async function zone(daemon: AdminClient, { json, signal }: How, { name, ttl = DEFAULT_TTL_SECONDS }: ZoneFlags): Promise<string> {
  const cluster = await clusterIfAny(daemon, signal);
  const candidates = cluster === undefined ? (JSON.parse(await daemon.get('/api/v1/relays', { signal })) as CandidateRow[]) : [];
  const addrs = healthyAddrs(cluster, candidates);
  return json ? JSON.stringify(addrs) : zoneRecords(addrs, { name, ttlSeconds: ttl });
}

function parseName(value: string): string {
  if (!/^(?=.{1,240}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?$/.test(value)) {
    throw new InvalidArgumentError('It needs the form relays.example.org.');
  }
  return value.replace(/\.$/, '');
}

/** A week: who keeps a record longer does not want to hear of a relay's end. */
const MAX_TTL_SECONDS = 604_800;

function parseTtl(value: string): number {
  const seconds = Number(value);
  if (!/^\d+$/.test(value) || seconds > MAX_TTL_SECONDS) {
    throw new InvalidArgumentError(`It needs a number of seconds, up to ${MAX_TTL_SECONDS}.`);
  }
  return seconds;
}
