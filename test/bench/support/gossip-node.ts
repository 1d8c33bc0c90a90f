import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { serveOrders } from '../../faults/programs/serve-orders.ts';
import type { Orders } from '../../faults/programs/serve-orders.ts';
import { GossipRelay } from '../../support/coordination/gossip-relay.ts';
import { LinkNodes } from '../../support/coordination/link-nodes.ts';

/** One relay's gossip, and no relay, in a process of its own, ordered about by JSON lines. Arguments: full addresses of others. */

/** As a relay's sealed record is, with two addresses of each kind; its figures change every five seconds. */
const RECORD_CHARS = 500;
const FIGURES_EVERY_MS = 5_000;

const TTL_MS = 3_600_000;
const ID_CHARS = 52;

const KNOWN = 'relayd_gossip_reservations ';

const sockets = new Set<Socket>();
for (const channel of ['net.client.socket', 'net.server.socket']) subscribe(channel, (message) => sockets.add((message as { socket: Socket }).socket));

const nodes = new LinkNodes();
const relay = await GossipRelay.start(nodes, { configured: process.argv.slice(2), says: () => String(Math.floor(performance.now() / FIGURES_EVERY_MS)).padEnd(RECORD_CHARS, '.') });
let count = 0;

const ORDERS: Orders = {
  /** Reservations of others that it knows, and bytes that it has read. */
  status: async () => ({ known: await known(), inBytes: [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0) }),
  /** Says that it has so many more. */
  publish: async ({ reservations }: { reservations: number }) => {
    const peers = Array.from({ length: reservations }, () => `${relay.id.slice(-8)}-${count++}`.padEnd(ID_CHARS, '.'));
    await relay.registry.publish(peers.map((peer) => ({ peer, ttlMs: TTL_MS })));
    return {};
  },
};

await serveOrders(ORDERS, { addrs: [relay.node.addr] });
process.exit(0);

async function known(): Promise<number> {
  const text = await relay.node.metrics.metrics();
  return Number(text.split('\n').find((line) => line.startsWith(KNOWN))?.slice(KNOWN.length));
}
