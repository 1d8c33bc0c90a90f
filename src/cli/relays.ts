import type { Command } from 'commander';
import type { CandidateRow } from '../lib/contracts.ts';
import type { CliContext } from './context.ts';
import { count, duration, millis, percent, text, until } from './format.ts';
import type { Style } from './format.ts';
import { addListing } from './listing.ts';
import type { Listing } from './listing.ts';

/** What a line of 120 columns has left for words, when the other columns are as wide as they get. */
const REMARK_COLUMNS = 40;

export const RELAYS: Listing<CandidateRow> = {
  name: 'relays',
  description: 'which relays this client knows, and why each is held, in reserve, or neither',
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

export function addRelaysCommand(program: Command, context: CliContext): void {
  addListing(program, context, RELAYS);
}
