import type { Attempt, Operation } from '../support/cluster/history.ts';
import { delay, nowMs } from '../support/time.ts';
import { ClusterPeer } from './cluster/cluster-peer.ts';
import type { EchoEnd } from './cluster/echo-end.ts';
import type { Admission, AttemptsOrder, CircuitOrder, CircuitReport, LoadOrder, LoadReport, ProbeOrder, ProbeReport } from './cluster/protocol.ts';
import { LagMeter } from './clients/lag.ts';
import { serveOrders } from './serve-orders.ts';
import type { Orders } from './serve-orders.ts';

/** The peers of a cluster of relays, which do what JSON lines on standard input say, and end with it. */

/** A refused peer, or one whose relay does not answer, comes again after this time. */
const AGAIN_MS = 300;
const PROBE_MS = 3_000;
/** Circuits that are probed through one relay at the same time. */
const PROBES = 8;

const peers: ClusterPeer[] = [];
const circuits: { order: CircuitOrder; end: EchoEnd }[] = [];
const lag = new LagMeter();
let history: Operation[] = [];
let admissions: Admission[] = [];
interface Loop {
  stopped: boolean;
  ended: Promise<unknown>;
}

let load: Loop | undefined;
let knocking: Loop | undefined;

const ORDERS: Orders = {
  make: async ({ count }: { count: number }) => {
    while (peers.length < count) peers.push(await ClusterPeer.start());
    return { peerIds: peers.map(({ id }) => id) };
  },
  reserve: async ({ peer, relay, addr }: { peer: number; relay: string; addr: string }) => ({ attempt: record(await at(peer).reserve(relay, addr)) }),
  attempts: async ({ relays, first, count, width }: AttemptsOrder) => ({ attempts: await manyAttempts(Array.from({ length: count }, (_, i) => at(first + i)), relays, width) }),
  'leave-all': () => {
    peers.forEach((peer) => peer.leaveAll());
    return {};
  },
  load: (order: LoadOrder) => {
    const state: Loop = { stopped: false, ended: Promise.resolve() };
    state.ended = Promise.all(Array.from({ length: order.width }, (_, i) => comeAndGo(at(order.first + i), order, state)));
    load = state;
    return {};
  },
  'end-load': async () => {
    if (load !== undefined) load.stopped = true;
    await load?.ended;
    return {};
  },
  knock: ({ peer, relays }: { peer: number; relays: Record<string, string> }) => {
    const state: Loop = { stopped: false, ended: Promise.resolve() };
    state.ended = Promise.all(Object.entries(relays).map(([relay, addr]) => knock(at(peer), relay, addr, state)));
    knocking = state;
    return {};
  },
  'end-knock': async () => {
    if (knocking !== undefined) knocking.stopped = true;
    await knocking?.ended;
    return {};
  },
  take: (): LoadReport => {
    const taken = { history, admissions };
    [history, admissions] = [[], []];
    return taken;
  },
  open: async ({ orders }: { orders: CircuitOrder[] }) => {
    for (const order of orders) {
      const end = await at(order.from).open(at(order.to).id, order.through);
      end.keepOn();
      circuits.push({ order, end });
    }
    return {};
  },
  circuits: (): { circuits: CircuitReport[] } => ({ circuits: circuits.map(({ order, end }) => ({ ...order, open: end.isOpen, longestMs: end.longestMs })) }),
  'begin-circuits': () => {
    circuits.forEach(({ end }) => end.forget());
    lag.begin();
    return {};
  },
  'end-circuits': () => {
    circuits.splice(0).forEach(({ end }) => end.close());
    return { lag: lag.read() };
  },
  probe: async ({ from, targets, relays }: ProbeOrder): Promise<ProbeReport> => ({ reached: await probeAll(at(from), targets, relays) }),
};

function at(index: number): ClusterPeer {
  const peer = peers[index];
  if (peer === undefined) throw new Error(`there is no peer ${index}`);
  return peer;
}

function record<T extends Operation>(operation: T): T {
  history.push(operation);
  return operation;
}

/** Each peer once, at a relay by chance, so many at a time; who is admitted stays. */
async function manyAttempts(all: readonly ClusterPeer[], relays: Readonly<Record<string, string>>, width: number): Promise<Attempt[]> {
  const [choices, queue] = [Object.entries(relays), all.values()];
  const attempts: Attempt[] = [];
  const worker = async (): Promise<void> => {
    for (const peer of queue) {
      const [relay, addr] = choices[Math.floor(Math.random() * choices.length)] as [string, string];
      attempts.push(await peer.reserve(relay, addr));
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return attempts;
}

async function comeAndGo(peer: ClusterPeer, { relays, stayMs: [least, most] }: LoadOrder, state: { readonly stopped: boolean }): Promise<void> {
  const all = Object.entries(relays);
  while (!state.stopped) {
    const [relay, addr] = all[Math.floor(Math.random() * all.length)] as [string, string];
    const attempt = record(await peer.reserve(relay, addr));
    if (attempt.outcome !== 'failed') admissions.push({ atMs: attempt.endedMs, tookMs: attempt.endedMs - attempt.beganMs });
    if (attempt.outcome === 'admitted') await stay(peer, relay, addr, least + Math.random() * (most - least));
    else await delay(AGAIN_MS);
    peer.leave(addr);
  }
}

/** Asks one relay again and again, and lets go at once of what it gets. */
async function knock(peer: ClusterPeer, relay: string, addr: string, state: { readonly stopped: boolean }): Promise<void> {
  while (!state.stopped) {
    const { outcome } = record(await peer.reserve(relay, addr));
    if (outcome === 'admitted') record({ kind: 'release', peer: peer.id, relay, atMs: nowMs() });
    peer.leave(addr);
    await delay(AGAIN_MS);
  }
}

/** Holds on for a while, or until the relay is gone. The release is written down when it begins, before the relay can know. */
async function stay(peer: ClusterPeer, relay: string, addr: string, ms: number): Promise<void> {
  const gone = Promise.withResolvers<void>();
  peer.onceGone(addr, gone.resolve);
  await Promise.race([delay(ms), gone.promise]);
  record({ kind: 'release', peer: peer.id, relay, atMs: nowMs() });
}

/** Through all relays at the same time. */
async function probeAll(source: ClusterPeer, targets: readonly string[], relays: Readonly<Record<string, string>>): Promise<Record<string, string[]>> {
  return Object.fromEntries(await Promise.all(Object.entries(relays).map(async ([relay, addr]) => [relay, await probe(source, targets, addr)] as const)));
}

/** Which targets are reached through one relay: a circuit to each, and one echo. */
async function probe(source: ClusterPeer, targets: readonly string[], through: string): Promise<string[]> {
  const reached: string[] = [];
  const queue = targets.values();
  const worker = async (): Promise<void> => {
    for (const target of queue) {
      try {
        const end = await source.open(target, through);
        await end.once(PROBE_MS).finally(() => end.close());
        reached.push(target);
      } catch {
        // It is not reached.
      }
    }
  };
  await Promise.all(Array.from({ length: PROBES }, worker));
  return reached;
}

await serveOrders(ORDERS);
process.exit(0);
