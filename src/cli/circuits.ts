import type { Command } from 'commander';
import type { CircuitRow, PeerRow } from '../lib/contracts.ts';
import type { CliContext } from './context.ts';
import { age, bytes, count, duration, text } from './format.ts';
import type { Style } from './format.ts';
import { addListing, renderListing } from './listing.ts';
import type { Listing } from './listing.ts';

export const CIRCUITS: Listing<CircuitRow> = {
  name: 'circuits',
  description: 'which connections this relay carries, and which of this node run through relays',
  legend: `SENT: bytes from SOURCE to TARGET; BACK: the other way. BUFFERED: taken from one side, not yet by the other. IDLE: since a byte last moved.
FORWARDED, in a cluster: to the relay that holds the target's reservation, or from the one that the source came to. TOKEN (with --wide): what makes the
source a member; - is its peer id.
Of this node's own: VIA: the relay. UPGRADE: whether a direct connection takes the circuit's place: none, trying, direct (new streams use it, and the circuit
is closed once it is idle), failed and WHY. With --json they follow the others; they are the rows of \`relayd peers\` whose path is "relay".`,
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
    { title: 'FORWARDED', value: ({ forwarded }, style) => (forwarded === undefined ? '-' : `${forwarded.as === 'entry' ? 'to' : 'from'} ${text(forwarded.relay, style)}`) },
    { title: 'TOKEN', value: (row, style) => text(row.token, style), wide: true },
  ],
};

const OWN_CIRCUITS: Listing<PeerRow> = {
  name: 'peers',
  description: '',
  legend: '',
  empty: CIRCUITS.empty,
  columns: [
    { title: 'PEER', value: (row, style) => text(row.peer, style) },
    { title: 'DIRECTION', value: (row, style) => text(row.direction, style) },
    { title: 'PATH', value: (row, style) => text(row.path, style) },
    { title: 'VIA', value: (row, style) => text(row.via, style) },
    { title: 'OPEN FOR', value: (row, style) => age(row.openedAt, style) },
    { title: 'STREAMS', value: (row) => count(row.streams), right: true },
    { title: 'UPGRADE', value: (row, style) => text(row.upgrade, style) },
    { title: 'WHY', value: (row, style) => text(row.upgradeReason, style) },
  ],
};

export function addCircuitsCommand(program: Command, context: CliContext): void {
  addListing(program, context, {
    ...CIRCUITS,
    read: async (daemon, { json, style, signal }) => {
      const [carried, peers] = (await Promise.all(['circuits', 'peers'].map(async (list) => JSON.parse(await daemon.get(`/api/v1/${list}`, { signal })) as unknown[]))) as [CircuitRow[], PeerRow[]];
      const own = peers.filter(({ path }) => path === 'relay');
      if (json) return JSON.stringify([...carried, ...own]);
      return circuitTables(carried, own, style);
    },
  });
}

/** What a relay carries, and what of a client's own runs through relays; a node may be both. */
export function circuitTables(carried: readonly CircuitRow[], own: readonly PeerRow[], style: Style): string {
  const tables = own.length === 0 || carried.length > 0 ? [renderListing(CIRCUITS, carried, style)] : [];
  const ours = own.length === 0 ? [] : [`Through relays, this node's own:\n${renderListing(OWN_CIRCUITS, own, style)}`];
  return [...tables, ...ours].join('\n');
}
