import type { Command } from 'commander';
import type { CircuitRow } from '../lib/contracts.ts';
import type { CliContext } from './context.ts';
import { age, bytes, count, duration, text } from './format.ts';
import { addListing } from './listing.ts';
import type { Listing } from './listing.ts';

export const CIRCUITS: Listing<CircuitRow> = {
  name: 'circuits',
  description: 'which connections this relay carries',
  legend: 'SENT: bytes from SOURCE to TARGET; BACK: the other way. BUFFERED: taken from one side, not yet by the other. IDLE: since a byte last moved.',
  empty: 'No circuit is open.',
  columns: [
    { title: 'ID', value: (row) => count(row.id), right: true },
    { title: 'SOURCE', value: (row, style) => text(row.source, style) },
    { title: 'TARGET', value: (row, style) => text(row.target, style) },
    { title: 'CLASS', value: (row, style) => text(row.class, style) },
    { title: 'OPEN FOR', value: (row, style) => age(row.openedAt, style) },
    { title: 'SENT', value: (row) => bytes(row.bytesToTarget), right: true },
    { title: 'BACK', value: (row) => bytes(row.bytesToSource), right: true },
    { title: 'BUFFERED', value: (row) => bytes(row.bufferedBytes), right: true },
    { title: 'IDLE', value: (row) => duration(row.idleMs), right: true },
  ],
};

export function addCircuitsCommand(program: Command, context: CliContext): void {
  addListing(program, context, CIRCUITS);
}
