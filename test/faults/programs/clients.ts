import { delay, nowMs } from '../support/time.ts';
import { Client } from './clients/client.ts';
import { LagMeter } from './clients/lag.ts';
import type { DialOrder, Dialled, Lag, MakeOrder, Relays, Snapshot } from './clients/protocol.ts';
import { serveOrders } from './serve-orders.ts';
import type { Orders } from './serve-orders.ts';

/** Many relay clients in one process, which does what JSON lines on its standard input say, and ends with them. */

/** Nodes that start at the same time: more would only wait for the processor. */
const STARTING = 8;

const clients: Client[] = [];
const lag = new LagMeter();

const ORDERS: Orders = {
  make: async (order: MakeOrder) => ({ peerIds: await make(order) }),
  'until-held': async (args: UntilHeld) => untilHeld(args),
  snapshot: (): { clients: Snapshot[] } => ({ clients: clients.map((client) => client.snapshot()) }),
  begin,
  end: (): { announced: Relays[]; held: Relays[]; lag: Lag } => ({ announced: clients.flatMap(({ announced }) => announced), held: clients.flatMap(({ held }) => held), lag: lag.read() }),
  dials: async ({ dials }: { dials: DialOrder[] }): Promise<{ dials: Dialled[] }> => ({ dials: await Promise.all(dials.map(dialAt)) }),
  watch: async ({ addr }: { addr: string }) => watch(addr),
  forwards: (): object => ({ ports: clients.map((client) => client.node.forwardPorts) }),
};

async function make({ count, first, dir, config, configs }: MakeOrder): Promise<string[]> {
  const queue = Array.from({ length: count }, (_, i) => i).values();
  const worker = async (): Promise<void> => {
    for (const index of queue) {
      clients[index] = await Client.start(index, { ...config, ...configs?.[index], dataDir: `${dir}/${first + index}` });
    }
  };
  await Promise.all(Array.from({ length: STARTING }, worker));
  return clients.map((client) => client.node.peerId);
}

function begin(): object {
  clients.forEach((client) => client.forget());
  lag.begin();
  return {};
}

interface UntilHeld {
  count: number;
  /** Relays that do not count. */
  without?: string[];
  /** They must not be away for anybody either. */
  nobodyAway?: boolean;
  timeoutMs: number;
}

const LOOK_AGAIN_MS = 50;

/** Looks until every client announces circuits through `count` relays. @returns those that still do not when the time is up */
async function untilHeld({ count, without = [], nobodyAway = false, timeoutMs }: UntilHeld): Promise<{ lacking: Snapshot[] }> {
  const end = nowMs() + timeoutMs;
  const isFine = ({ announced, away }: Snapshot): boolean => new Set(announced.filter((relay) => !without.includes(relay))).size >= count && (!nobodyAway || away.length === 0);
  for (;;) {
    const lacking = clients.map((client) => client.snapshot()).filter((snapshot) => !isFine(snapshot));
    if (lacking.length === 0 || nowMs() > end) return { lacking };
    await delay(LOOK_AGAIN_MS);
  }
}

async function dialAt(order: DialOrder): Promise<Dialled> {
  const client = clients[order.from];
  if (client === undefined) throw new Error(`there is no client ${order.from}`);
  await delay(order.atMs - nowMs());
  return client.dial(order);
}

/** Every client connects to one peer, which then learns what it announces. */
async function watch(addr: string): Promise<{ failures: string[] }> {
  const dials = await Promise.all(clients.map((client) => client.dial({ from: client.index, to: addr, atMs: nowMs() })));
  return { failures: dials.map(({ error }) => error).filter((error) => error !== undefined) };
}

await serveOrders(ORDERS);
// Clients vanish with their process, as they do when a machine goes down: nothing waits for them to stop in order.
process.exit(0);
