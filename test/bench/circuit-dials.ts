// bench: CPU at both ends and the relay, and the time, of a new circuit with the handshake inside, one after the other (N of them, default 500)
import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { lookup } from 'node:dns';
import { circuitTransport, clientService } from '../../src/client/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { Registry } from 'prom-client';
import { dataPath } from '../../src/transport/index.ts';
import { Fleet, untilHeld } from '../support/fleet.ts';
import { endChildrenOnSignals } from './support/interrupt.ts';
import { percentile, printTable, writeJson } from './support/report.ts';
import { readUsage } from './support/usage.ts';

type Path = 'native' | 'stock';
type Security = 'tls' | 'noise';

const WINDOW_BYTES = 1024 * 1024;
const DIAL_TIMEOUT_MS = 10_000;
/** Before anything is measured: code that is compiled, and the certificate. */
const WARM_UP = 50;
const UNLIMITED = {
  limits: {
    circuits: { max: 100_000, perSource: 'unlimited', perTarget: 'unlimited', pending: 10_000 },
    rates: { reservePerPeer: 'unlimited', reservePerPrefix: 'unlimited', connectPerPeer: 'unlimited', connectPerPrefix: 'unlimited' },
  },
};
const CASES: readonly (readonly [Path, Security])[] = [
  ['native', 'tls'],
  ['stock', 'tls'],
  ['native', 'noise'],
];

interface Figures {
  readonly diallerMs: number;
  readonly targetMs: number;
  readonly relayMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Relay and target are processes of their own; this one dials, and does nothing else. */
async function measure(path: Path, security: Security, count: number): Promise<Figures> {
  const fleet = await Fleet.create();
  const host = await dialler(path, security);
  try {
    const relay = await fleet.start('relay', { profile: 'tier1', role: 'relay', relay: UNLIMITED, network: { listen: ['/ip4/127.0.0.1/tcp/0'] } });
    const target = await fleet.start('target', { role: 'client', client: { relays: relay.ready.addrs, desired: 1 }, network: { dataPath: path, security: [security] } });
    const [addr = ''] = await untilHeld(target, 1);
    await dials(host, addr, WARM_UP);
    const cpuMs = [process.pid, target.ready.pid, relay.ready.pid].map((pid) => cpuOf(pid, count));
    const times = await dials(host, addr, count);
    const [diallerMs = NaN, targetMs = NaN, relayMs = NaN] = cpuMs.map((used) => used());
    return { diallerMs, targetMs, relayMs, p50Ms: percentile(times, 50), p99Ms: percentile(times, 99) };
  } finally {
    await host.stop();
    await fleet.stopAll();
  }
}

/** Milliseconds of CPU for each of `count`, from now to the call. */
function cpuOf(pid: number, count: number): () => number {
  const before = readUsage(pid).cpuSeconds;
  return () => ((readUsage(pid).cpuSeconds - before) * 1000) / count;
}

async function dialler(path: Path, security: Security): Promise<Libp2p> {
  const parts = dataPath(path, { security: [security], swarmKey: undefined, windowBytes: WINDOW_BYTES, lookup, clock: systemClock });
  const transports = [...(parts.transports ?? []), circuitTransport({ registry: new Registry(), accept: false })];
  const connectionGater = { denyDialMultiaddr: () => false };
  return await createLibp2p({ ...parts, transports, connectionGater, connectionMonitor: { enabled: false }, addresses: { listen: [] }, services: { client: clientService() } });
}

/** One after the other, each ended before the next. Returns the milliseconds of each. */
async function dials(host: Libp2p, addr: string, count: number): Promise<number[]> {
  const times: number[] = [];
  while (times.length < count) {
    const start = performance.now();
    const connection = await host.dial(multiaddr(addr), { signal: AbortSignal.timeout(DIAL_TIMEOUT_MS) });
    times.push(performance.now() - start);
    await connection.close();
  }
  return times;
}

function show({ diallerMs, targetMs, relayMs, p50Ms, p99Ms }: Figures): string {
  const cpu = `CPU each: dialler ${diallerMs.toFixed(2)} ms (${(1000 / diallerMs).toFixed(0)} a CPU second), target ${targetMs.toFixed(2)} ms, relay ${relayMs.toFixed(2)} ms`;
  return `${cpu}   p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`;
}

async function main(): Promise<void> {
  endChildrenOnSignals();
  const count = Number(process.argv[2] ?? 500);
  const figures: Record<string, Figures> = {};
  for (const [path, security] of CASES) {
    figures[`${path} ${security}`] = await measure(path, security, count);
  }
  printTable(Object.fromEntries(Object.entries(figures).map(([name, one]) => [name, show(one)])));
  writeJson('circuit-dials', { dials: count, figures });
}

await main();
