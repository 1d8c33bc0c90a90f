import type { Command } from 'commander';
import type { PeerRow } from '../lib/contracts.ts';
import type { CliContext } from './context.ts';
import { age, count, text } from './format.ts';
import { addListing } from './listing.ts';
import type { Listing } from './listing.ts';

export const PEERS: Listing<PeerRow> = {
  name: 'peers',
  description: 'to whom this node is connected',
  legend: 'PATH: direct, or through a relay (with --wide: VIA which). UPGRADE: whether a direct connection takes a relayed one\'s place: none, trying, direct (new streams use it), failed. RESERVED: holds a reservation here. AGENT: what the peer calls itself; a node that is only a relay does not ask.',
  empty: 'No peer is connected.',
  columns: [
    { title: 'PEER', value: (row, style) => text(row.peer, style) },
    { title: 'DIRECTION', value: (row, style) => text(row.direction, style) },
    { title: 'PATH', value: (row, style) => text(row.path, style) },
    { title: 'VIA', value: (row, style) => text(row.via, style), wide: true },
    { title: 'UPGRADE', value: (row, style) => text(row.upgrade, style) },
    { title: 'OPEN FOR', value: (row, style) => age(row.openedAt, style) },
    { title: 'STREAMS', value: (row) => count(row.streams), right: true },
    { title: 'RESERVED', value: (row) => (row.reserved ? 'yes' : 'no') },
    { title: 'ADDRESS', value: (row, style) => text(row.addr, style) },
    { title: 'AGENT', value: (row, style) => text(row.agent, style) },
  ],
};

export function addPeersCommand(program: Command, context: CliContext): void {
  addListing(program, context, PEERS);
}
