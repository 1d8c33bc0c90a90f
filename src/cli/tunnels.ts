import type { Command } from 'commander';
import type { TunnelRow } from '../lib/contracts.ts';
import type { CliContext } from './context.ts';
import { count, text } from './format.ts';
import { addListing } from './listing.ts';
import type { Listing } from './listing.ts';

export const TUNNELS: Listing<TunnelRow> = {
  name: 'tunnels',
  description: 'which TCP services this client exposes and forwards',
  legend: 'LOCAL: where a forward listens, or the service that is exposed. PEERS: the other side, or who may connect.\nOPEN: connections at this moment; SO FAR: since the start.',
  empty: 'No tunnel is configured. tunnels.expose and tunnels.forward of the config make some.',
  columns: [
    { title: 'NAME', value: (row, style) => text(row.name, style) },
    { title: 'KIND', value: (row, style) => text(row.kind, style) },
    { title: 'LOCAL', value: (row, style) => text(row.local, style) },
    { title: 'PEERS', value: (row, style) => text(row.peers.join(' '), style) },
    { title: 'OPEN', value: (row) => count(row.open), right: true },
    { title: 'SO FAR', value: (row) => count(row.opened), right: true },
    { title: 'REFUSED', value: (row) => count(row.refused), right: true },
    { title: 'FAILED', value: (row) => count(row.failed), right: true },
    { title: 'LAST ERROR', value: (row, style) => text(row.lastError, style) },
  ],
};

export function addTunnelsCommand(program: Command, context: CliContext): void {
  addListing(program, context, TUNNELS);
}
