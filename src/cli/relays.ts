import type { Command } from 'commander';
import type { CandidateRow } from '../lib/contracts.ts';
import type { CliContext } from './context.ts';
import { count, duration, millis, text, until } from './format.ts';
import { addListing } from './listing.ts';
import type { Listing } from './listing.ts';

export const RELAYS: Listing<CandidateRow> = {
  name: 'relays',
  description: 'which relays this client knows, and in which state they are',
  legend: 'STATE: reserved (held), standby (good, not needed), candidate (not tried yet), connecting, backoff (waits to try again), lost.\nFROM: manual (client.relays) or bootstrap (discovery.bootstrap).',
  empty: 'No relay is known. A client finds them in client.relays and discovery.bootstrap of its config; a relay needs none.',
  columns: [
    { title: 'RELAY', value: (row, style) => text(row.peer, style) },
    { title: 'STATE', value: (row, style) => text(row.state, style) },
    { title: 'RTT', value: (row) => millis(row.rttMs), right: true },
    { title: 'EXPIRES', value: (row, style) => until(row.expiresAt, style) },
    { title: 'FAILURES', value: (row) => count(row.failures), right: true },
    { title: 'FROM', value: (row, style) => text(row.source, style) },
    { title: 'ADDRESS', value: (row, style) => text(row.addr, style) },
    { title: 'REMARK', value: (row, style) => text(remark(row), style) },
  ],
};

function remark({ reason, retryInSeconds }: CandidateRow): string {
  const again = retryInSeconds === undefined ? [] : [`again in ${duration(retryInSeconds * 1000)}`];
  return [...(reason === undefined ? [] : [reason]), ...again].join('; ');
}

export function addRelaysCommand(program: Command, context: CliContext): void {
  addListing(program, context, RELAYS);
}
