// bench: what 50, 100, 200 and 1000 connections cost a relay, at rest and while half as many circuits carry bytes: memory, CPU (--help: options)
import { parseArgs } from 'node:util';
import { LineProcess } from './support/line-process.ts';
import { number, numbers, planOrUsage } from './support/options.ts';
import { LOAD, built } from './support/programs.ts';
import { startRelay } from './support/relay-process.ts';
import type { RelayProcess } from './support/relay-process.ts';
import { writeJson } from './support/report.ts';
import { settled } from './support/settled.ts';
import { forgetPeak, machineCpuSeconds, readUsage } from './support/usage.ts';

const USAGE = `usage: scripts/bench capacity [--connections N,N…] [--security noise|tls] [--mb N] [--seconds N]

  --connections  peers that hold a reservation, each with a connection of its own (50,100,200,1000); half as many circuits carry bytes
  --security     tls (default), noise
  --mb           MiB through all circuits together, as fast as they go (1024)
  --seconds      how long the relay then carries the bandwidth that the guide names for so many (10)`;

const OPTIONS = {
  connections: { type: 'string', default: '50,100,200,1000' },
  security: { type: 'string', default: 'tls' },
  mb: { type: 'string', default: '1024' },
  seconds: { type: 'string', default: '10' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** What the deployment guide that users know says of so many connections: MiB of memory, Mbit/s. Of more it says nothing. */
const GUIDE: Record<number, { memoryMiB: number; megabits: number } | undefined> = {
  50: { memoryMiB: 256, megabits: 10 },
  100: { memoryMiB: 512, megabits: 20 },
  200: { memoryMiB: 1024, megabits: 50 },
};

/** For a number of connections of which the guide says nothing. */
const MEGABITS_EACH = 0.25;

const PARALLEL = 16;
const MIB = 1 << 20;
const GB = 1e9;
const BITS = 8;
/** What a program that copies a file writes at a time. */
const WRITE_BYTES = 64 * 1024;
const WARM_UP_BYTES = 64 * MIB;

interface Plan {
  connections: number[];
  security: string;
  bytes: number;
  seconds: number;
}

interface Pumped {
  bytes: number;
  seconds: number;
}

interface Row {
  connections: number;
  circuits: number;
  restMiB: number;
  peakMiB: number;
  guideMiB: number | string;
  megabits: number;
  cpuSecondsPerGB: number;
  pacedMegabits: number;
  pacedCorePercent: number;
  pacedPeakMiB: number;
  othersPercent: number;
}

async function main(): Promise<void> {
  const plan = planOrUsage(planOf, USAGE);
  if (plan === undefined) return;
  const rows: Row[] = [];
  for (const connections of plan.connections) {
    rows.push(await measure(connections, plan));
    console.error(`${connections} connections measured`);
  }
  console.table(rows);
  writeJson('capacity', { security: plan.security, rows });
}

async function measure(connections: number, plan: Plan): Promise<Row> {
  const megabits = GUIDE[connections]?.megabits ?? connections * MEGABITS_EACH;
  const full = await withRelay(connections, plan, 'unlimited', (relay, pump) => asFastAsItGoes(relay, pump, plan.bytes));
  const paced = await withRelay(connections, plan, `${Math.round((megabits * 1e6) / BITS)}B/s`, (relay, pump) => asFastAsItGoes(relay, pump, (megabits * 1e6 * plan.seconds) / BITS, 0));
  return {
    connections,
    circuits: circuitsOf(connections),
    restMiB: round(full.restMiB),
    peakMiB: round(full.peakMiB),
    guideMiB: GUIDE[connections]?.memoryMiB ?? '-',
    megabits: round(full.megabits),
    cpuSecondsPerGB: round(full.cpuSecondsPerGB),
    pacedMegabits: round(paced.megabits),
    pacedCorePercent: round(paced.corePercent),
    pacedPeakMiB: round(paced.peakMiB),
    othersPercent: round(full.othersPercent),
  };
}

interface Flow {
  peakMiB: number;
  megabits: number;
  cpuSecondsPerGB: number;
  corePercent: number;
  othersPercent: number;
}

/** A new relay each time: memory that one load has left would count for the next. */
async function withRelay(connections: number, { security }: Plan, total: string, work: (relay: RelayProcess, pump: LineProcess) => Promise<Flow>): Promise<Flow & { restMiB: number }> {
  const relay = await startRelay(configFor(connections, security, total));
  const program = await built(LOAD);
  const hold = new LineProcess('load', program, ['hold', '--relay', relay.addr, '--security', security]);
  let pump: LineProcess | undefined;
  try {
    await hold.ready();
    await hold.order('make', { count: connections, parallel: PARALLEL });
    const restMiB = (await settled(relay.pid)).rssKiB / 1024;
    pump = new LineProcess('load', program, ['pump', '--relay', relay.addr, '--security', security, '--circuits', String(circuitsOf(connections))]);
    await pump.ready();
    return { restMiB, ...(await work(relay, pump)) };
  } finally {
    await pump?.stop();
    await hold.stop();
    await relay.stop();
  }
}

async function asFastAsItGoes({ pid }: RelayProcess, pump: LineProcess, bytes: number, warmUpBytes = WARM_UP_BYTES): Promise<Flow> {
  if (warmUpBytes > 0) await pump.order('pump', { bytes: warmUpBytes, write: WRITE_BYTES });
  forgetPeak(pid);
  const [before, machineBefore, loadBefore] = [readUsage(pid), machineCpuSeconds(), readUsage(pump.pid)];
  const pumped = await pump.order<Pumped>('pump', { bytes: Math.round(bytes), write: WRITE_BYTES });
  const [after, machineAfter, loadAfter] = [readUsage(pid), machineCpuSeconds(), readUsage(pump.pid)];
  const cpuSeconds = after.cpuSeconds - before.cpuSeconds;
  const others = machineAfter - machineBefore - cpuSeconds - (loadAfter.cpuSeconds - loadBefore.cpuSeconds);
  return {
    peakMiB: after.peakRssKiB / 1024,
    megabits: (pumped.bytes * BITS) / pumped.seconds / 1e6,
    cpuSecondsPerGB: (cpuSeconds / pumped.bytes) * GB,
    corePercent: (cpuSeconds / pumped.seconds) * 100,
    othersPercent: (Math.max(0, others) / pumped.seconds) * 100,
  };
}

function circuitsOf(connections: number): number {
  return connections / 2;
}

/** Room for exactly so many, without limits on what they carry: what is measured is the relay and not its rules. */
function configFor(connections: number, security: string, total: string): Parameters<typeof startRelay>[0] {
  const room = connections + 100;
  const circuits = { max: room, perSource: 'unlimited', perTarget: 'unlimited', pending: room, duration: 'unlimited', bytesPerDirection: 'unlimited', idle: 'unlimited' };
  return {
    network: { security: [security] },
    connections: { low: room, high: room + 50, max: room + 100, inboundPerPrefix: 'unlimited', pendingPerPrefix: 64 },
    relay: {
      limits: {
        reservations: { max: room, perPrefix: 'unlimited' },
        circuits,
        rates: { reservePerPeer: 'unlimited', reservePerPrefix: 'unlimited', connectPerPrefix: 'unlimited', connectPerPeer: 'unlimited' },
        bandwidth: { total },
      },
    },
    drain: { timeout: '1s' },
  };
}

/** @throws Error that says what is wrong */
function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  return { connections: numbers('connections', values.connections), security: values.security, bytes: number('mb', values.mb) * MIB, seconds: number('seconds', values.seconds) };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

await main();
