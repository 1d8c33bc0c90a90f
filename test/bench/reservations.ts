// bench: memory and CPU of one relay while it is given N reservations (default 1000), and set-up time of circuits while they are held
import { Status, statusName } from '../../src/lib/circuit/protocol.ts';
import { WirePeer } from '../support/wire-peer.ts';
import type { Answer } from '../support/wire-peer.ts';
import { percentile, printTable, writeJson } from './support/report.ts';
import { startRelay } from './support/relay-process.ts';

/** Handshakes that run at once: enough to keep the relay busy, few enough to stay under its pending limit. */
const CONCURRENCY = 8;
const CIRCUITS = 200;

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 1000);
  const relay = await startRelay({
    connections: { low: count + 50, high: count + 100, max: count + 200, inboundPerPrefix: 'unlimited', pendingPerPrefix: 64 },
    relay: { limits: { reservations: { max: count, perPrefix: 'unlimited' }, rates: { reservePerPrefix: 'unlimited', connectPerPrefix: 'unlimited', connectPerPeer: 'unlimited' } } },
  });
  const peers: WirePeer[] = [];
  try {
    await relay.settle();
    const before = relay.usage();
    await inParallel(count, async () => peers.push(await reservedPeer(relay.addr)));
    await relay.settle();
    const after = relay.usage();
    const idle = await relay.idleCpu(5_000);
    const setupMs = await timeCircuits(relay.addr, peers);
    report({ count, before, after, idle, setupMs });
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
    await relay.stop();
  }
}

interface Figures {
  count: number;
  before: { rssKiB: number; cpuSeconds: number };
  after: { rssKiB: number; cpuSeconds: number };
  idle: number;
  setupMs: number[];
}

function report({ count, before, after, idle, setupMs }: Figures): void {
  const figures = {
    reservations: count,
    rssBeforeMiB: round(before.rssKiB / 1024),
    rssAfterMiB: round(after.rssKiB / 1024),
    rssEachKiB: round((after.rssKiB - before.rssKiB) / count),
    cpuEachMs: round(((after.cpuSeconds - before.cpuSeconds) * 1000) / count),
    idleCoreShare: round(idle),
    circuitSetupP50Ms: round(percentile(setupMs, 50)),
    circuitSetupP99Ms: round(percentile(setupMs, 99)),
    circuitSetupMaxMs: round(Math.max(...setupMs)),
  };
  printTable(figures);
  writeJson('reservations', figures);
}

async function timeCircuits(addr: string, targets: readonly WirePeer[]): Promise<number[]> {
  const source = await connectedPeer(addr);
  const times: number[] = [];
  try {
    for (let i = 0; i < CIRCUITS; i++) {
      const target = targets[i % targets.length];
      if (target === undefined) break;
      const start = performance.now();
      const circuit = await source.connectTo(target.peerId);
      times.push(performance.now() - start);
      expectOk(circuit);
      circuit.stream.abort(new Error('done'));
    }
  } finally {
    await source.stop();
  }
  return times;
}

async function reservedPeer(addr: string): Promise<WirePeer> {
  const peer = await connectedPeer(addr);
  expectOk(await peer.reserve());
  return peer;
}

async function connectedPeer(addr: string): Promise<WirePeer> {
  const peer = await WirePeer.start();
  await peer.connect(addr);
  return peer;
}

function expectOk({ status, refusal }: Answer): void {
  if (status !== Status.OK) {
    throw new Error(`the relay answered ${statusName(status)} ${JSON.stringify(refusal)}`);
  }
}

async function inParallel(count: number, work: () => Promise<unknown>): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

await main();
