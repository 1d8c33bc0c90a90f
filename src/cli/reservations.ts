import type { Command } from 'commander';
import type { ReservationRow } from '../lib/contracts.ts';
import type { CliContext } from './context.ts';
import { ago, count, text, until } from './format.ts';
import { addListing } from './listing.ts';
import type { Listing } from './listing.ts';

export const RESERVATIONS: Listing<ReservationRow> = {
  name: 'reservations',
  description: 'who holds a reservation on this relay',
  legend: 'CLASS: public, or member of the realm, each with limits of its own. CIRCUITS: open to that peer at this moment. TOKEN (with --wide): what makes it a member; - is its peer id.',
  empty: 'No peer holds a reservation here.',
  columns: [
    { title: 'PEER', value: (row, style) => text(row.peer, style) },
    { title: 'CLASS', value: (row, style) => text(row.class, style) },
    { title: 'ADDRESS', value: (row, style) => text(row.addr, style) },
    { title: 'OPENED', value: (row, style) => ago(row.openedAt, style) },
    { title: 'EXPIRES', value: (row, style) => until(row.expiresAt, style) },
    { title: 'RENEWED', value: (row) => count(row.renewals), right: true },
    { title: 'CIRCUITS', value: (row) => count(row.circuits), right: true },
    { title: 'TOKEN', value: (row, style) => text(row.token, style), wide: true },
  ],
};

export function addReservationsCommand(program: Command, context: CliContext): void {
  addListing(program, context, RESERVATIONS);
}
