// bench: memory and CPU of one relay while it is given N reservations (default 1000), and set-up time of circuits while they are held
import { generateKeyPair } from '@libp2p/crypto/keys';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { decodeHop, decodeStop, encodeHop, encodeStop } from '../../src/lib/circuit/messages.ts';
import type { HopMessage } from '../../src/lib/circuit/messages.ts';
import { readFrame, writeFrame } from '../../src/lib/circuit/frames.ts';
import { HOP_PROTOCOL, STOP_PROTOCOL, Status, statusName } from '../../src/lib/circuit/protocol.ts';
import { stockDataPath } from '../../src/transport/index.ts';
import { lookup } from 'node:dns';
import { percentile, printTable, writeJson } from './support/report.ts';
import { startRelay } from './support/relay-process.ts';

/** Handshakes that run at once: enough to keep the relay busy, few enough to stay under its pending limit. */
const CONCURRENCY = 8;
const CIRCUITS = 200;
const DEADLINE_MS = 20_000;

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? 1000);
  const relay = await startRelay({
    connections: { low: count + 50, high: count + 100, max: count + 200, inboundPerPrefix: 'unlimited', pendingPerPrefix: 64 },
    relay: { limits: { reservations: { max: count, perPrefix: 'unlimited' }, rates: { reservePerPrefix: 'unlimited', connectPerPrefix: 'unlimited', connectPerPeer: 'unlimited' } } },
  });
  const peers: Libp2p[] = [];
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

async function timeCircuits(addr: string, targets: readonly Libp2p[]): Promise<number[]> {
  const source = await makePeer();
  const times: number[] = [];
  try {
    await source.dial(multiaddr(addr));
    for (let i = 0; i < CIRCUITS; i++) {
      const target = targets[i % targets.length];
      if (target === undefined) break;
      const start = performance.now();
      await request(source, addr, { type: 'CONNECT', peer: { id: target.peerId.toMultihash().bytes, addrs: [] } });
      times.push(performance.now() - start);
    }
  } finally {
    await source.stop();
  }
  return times;
}

async function reservedPeer(addr: string): Promise<Libp2p> {
  const peer = await makePeer();
  await peer.handle(STOP_PROTOCOL, async (stream) => {
    decodeStop(await readFrame(stream, { signal: AbortSignal.timeout(DEADLINE_MS) }));
    writeFrame(stream, encodeStop({ type: 'STATUS', status: Status.OK }));
  });
  await request(peer, addr, { type: 'RESERVE' });
  return peer;
}

async function request(peer: Libp2p, addr: string, message: HopMessage): Promise<void> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const connection = await peer.dial(multiaddr(addr), { signal });
  const stream = await connection.newStream([HOP_PROTOCOL], { signal, maxOutboundStreams: Infinity });
  writeFrame(stream, encodeHop(message));
  const reply = decodeHop(await readFrame(stream, { signal }));
  stream.abort(new Error('done'));
  if (reply.status !== Status.OK) {
    throw new Error(`${message.type}: ${statusName(reply.status)} ${JSON.stringify(reply.refusal)}`);
  }
}

async function makePeer(): Promise<Libp2p> {
  const dataPath = stockDataPath({ security: ['noise'], swarmKey: undefined, windowBytes: 256 * 1024, lookup });
  return createLibp2p({ ...dataPath, privateKey: await generateKeyPair('Ed25519'), connectionMonitor: { enabled: false }, connectionGater: { denyDialMultiaddr: () => false } });
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
