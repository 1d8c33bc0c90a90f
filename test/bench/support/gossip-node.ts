import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ReservationTable } from '../../../src/coordination/gossip/reservation-table.ts';
import { errorMessage } from '../../../src/lib/errors.ts';
import { GossipRelay } from '../../support/coordination/gossip-relay.ts';
import { LinkNodes } from '../../support/coordination/link-nodes.ts';

/** One relay's gossip in a process of its own, ordered about by JSON lines. Arguments: full addresses of other relays. */

/** As a relay's sealed record is, with two addresses of each kind; its figures change every five seconds. */
const RECORD_CHARS = 500;
const FIGURES_EVERY_MS = 5_000;

const TTL_MS = 3_600_000;
const ID_CHARS = 52;

/** Of this machine, the same in every process. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

const sockets = new Set<Socket>();
for (const channel of ['net.client.socket', 'net.server.socket']) subscribe(channel, (message) => sockets.add((message as { socket: Socket }).socket));

const heard = new Map<string, number>();
const told = new Map<string, number>();
watchTables();

const nodes = new LinkNodes();
const relay = await GossipRelay.start(nodes, { configured: process.argv.slice(2), says: () => String(Math.floor(now() / FIGURES_EVERY_MS)).padEnd(RECORD_CHARS, '.') });
let timer: NodeJS.Timeout | undefined;
let count = 0;

const ORDERS: Record<string, (order: Record<string, unknown>) => Promise<object> | object> = {
  status: () => ({ live: relay.heard.relays.size, known: heard.size }),
  traffic: async () => ({ ...traffic(), ...(await counts()) }),
  /** So many reservations a second, from now on; 0 ends that. */
  load: ({ perSecond }) => {
    clearInterval(timer);
    if (Number(perSecond) > 0) timer = setInterval(() => void publish(1), 1_000 / Number(perSecond));
    return {};
  },
  /** So many at once. */
  publish: async ({ reservations }) => {
    await publish(Number(reservations));
    return { at: now() };
  },
  times: () => ({ told: [...told], heard: [...heard] }),
};

console.log(JSON.stringify({ event: 'ready', addrs: [relay.node.addr] }));
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as { id: number; cmd: string };
  try {
    console.log(JSON.stringify({ id: order.id, ok: true, ...(await ORDERS[order.cmd]?.({ ...order })) }));
  } catch (error) {
    console.log(JSON.stringify({ id: order.id, ok: false, error: errorMessage(error) }));
  }
}
process.exit(0);

async function publish(reservations: number): Promise<void> {
  const peers = Array.from({ length: reservations }, () => `${relay.id.slice(-8)}-${count++}`.padEnd(ID_CHARS, '.'));
  peers.forEach((peer) => told.set(peer, now()));
  await relay.registry.publish(peers.map((peer) => ({ peer, ttlMs: TTL_MS })));
}

/** When each reservation of another relay is first there. */
function watchTables(): void {
  // eslint-disable-next-line typescript/unbound-method -- called with the table it was called on
  const { set } = ReservationTable.prototype;
  ReservationTable.prototype.set = function watched(peer, holding) {
    set.call(this, peer, holding);
    if (!told.has(peer) && !heard.has(peer)) heard.set(peer, now());
  };
}

function traffic(): { inBytes: number; outBytes: number } {
  const all = [...sockets];
  return { inBytes: all.reduce((sum, { bytesRead }) => sum + bytesRead, 0), outBytes: all.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0) };
}

async function counts(): Promise<Record<string, number>> {
  const text = await relay.node.metrics.metrics();
  const value = (series: string): number => Number(text.split('\n').find((line) => line.startsWith(`relayd_gossip_${series}`))?.split(' ').at(-1) ?? NaN);
  return {
    inMessages: value('messages_total{direction="in"}'),
    outMessages: value('messages_total{direction="out"}'),
    inGossipBytes: value('bytes_total{direction="in"}'),
    syncBytes: value('sync_bytes_total{direction="in"}') + value('sync_bytes_total{direction="out"}'),
    refused: ['foreign', 'secret', 'malformed', 'full'].reduce((sum, reason) => sum + value(`refused_total{reason="${reason}"}`), 0),
  };
}
