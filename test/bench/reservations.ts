// bench: what N reservations held by go peers cost a relay (default 1000): making them, memory, CPU at rest, set-up of circuits (--help: options)
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { LineProcess } from './support/line-process.ts';
import { LOAD, built } from './support/programs.ts';
import { startRelay } from './support/relay-process.ts';
import { kindOf } from './support/relays.ts';
import type { MeasuredRelay, Security } from './support/relays.ts';
import { printTable, writeJson } from './support/report.ts';
import { readUsage } from './support/usage.ts';
import type { Usage } from './support/usage.ts';

const USAGE = `usage: scripts/bench reservations [N…] [--relay ours|go]… [--security noise|tls] [--idle SECONDS] [--making PER_SECOND] [--node-arg ARG]…

  N           reservations, each of a peer with an identity and a TCP connection of its own (1000); several are measured one after the other
  --relay     ours (default), go: go-libp2p's relay; both may be given
  --security  noise (default), tls
  --idle      how long it is watched at rest (30); go peers send a ping every 30 s
  --making    how many more reservations a second are made while circuits are opened (20)
  --node-arg  for the Node that runs our relay, as --max-semi-space-size=2`;

/** Peers that connect at once: enough to keep the relay busy, few enough to stay under its pending limit. */
const PARALLEL = 16;
const CIRCUITS = 500;
const GAP_MS = 5;
/** Files and sockets of a process beside its connections. */
const OTHER_FILES = 200;

interface Plan {
  counts: number[];
  relays: RelayName[];
  security: Security;
  idleSeconds: number;
  makingPerSecond: number;
  nodeArgs: string[];
}

const RELAYS = { ours: (count: number, { security, nodeArgs }: Plan) => ours(count, security, nodeArgs), go: (_count: number, { security }: Plan) => kindOf('go').start(security, []) };
type RelayName = keyof typeof RELAYS;

/** How long each of many took, as the load says. */
interface Timed {
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

interface Figures {
  before: Usage;
  made: Timed;
  after: Usage;
  rested: Usage;
  circuits: Timed;
  whileMaking: Timed;
}

async function main(): Promise<void> {
  const plan = planOf();
  if (plan === undefined) return;
  const results: object[] = [];
  for (const count of plan.counts) {
    checkFileLimit(count);
    for (const relay of plan.relays) {
      const row = { relay, security: plan.security, ...rowOf(count, plan, await measure(relay, count, plan)) };
      results.push(row);
      printTable(row);
      console.log();
    }
  }
  writeJson('reservations', { results });
}

async function measure(name: RelayName, count: number, plan: Plan): Promise<Figures> {
  const relay = await RELAYS[name](count, plan);
  const load = new LineProcess('load', await built(LOAD), ['hold', '--relay', relay.addr, '--security', plan.security]);
  try {
    await load.ready();
    const before = await settled(relay.pid);
    const made = await load.order<Timed>('make', { count, parallel: PARALLEL });
    const after = await settled(relay.pid);
    await delay(plan.idleSeconds * 1000);
    const rested = readUsage(relay.pid);
    const circuits = await load.order<Timed>('circuits', { count: CIRCUITS, gapMs: GAP_MS });
    const whileMaking = await load.order<Timed>('circuits', { count: CIRCUITS, gapMs: GAP_MS, makePerSecond: plan.makingPerSecond });
    return { before, made, after, rested, circuits, whileMaking };
  } finally {
    await load.stop();
    await relay.stop();
  }
}

function rowOf(count: number, plan: Plan, { before, made, after, rested, circuits, whileMaking }: Figures): Record<string, number> {
  const idleShare = (rested.cpuSeconds - after.cpuSeconds) / plan.idleSeconds;
  return {
    reservations: count,
    madePerSecond: Math.round(count / made.seconds),
    makingP99Ms: round(made.p99Ms),
    cpuEachMs: round(((after.cpuSeconds - before.cpuSeconds) * 1000) / count),
    rssBeforeMiB: round(before.rssKiB / 1024),
    rssAfterMiB: round(after.rssKiB / 1024),
    rssEachKiB: round((after.rssKiB - before.rssKiB) / count),
    rssEachAtRestKiB: round((rested.rssKiB - before.rssKiB) / count),
    idleCorePercent: round(idleShare * 100),
    idleCpuSecondsPerMinute: round(idleShare * 60),
    circuitP50Ms: round(circuits.p50Ms),
    circuitP99Ms: round(circuits.p99Ms),
    circuitMaxMs: round(circuits.maxMs),
    circuitWhileMakingP50Ms: round(whileMaking.p50Ms),
    circuitWhileMakingP99Ms: round(whileMaking.p99Ms),
    circuitWhileMakingMaxMs: round(whileMaking.maxMs),
  };
}

function ours(count: number, security: Security, nodeArgs: readonly string[]): Promise<MeasuredRelay> {
  // Those that are made while circuits are opened come on top.
  const room = count + 2000;
  return startRelay(
    {
      network: { security: [security] },
      connections: { low: room, high: room + 50, max: room + 100, inboundPerPrefix: 'unlimited', pendingPerPrefix: 64 },
      relay: { limits: { reservations: { max: room, perPrefix: 'unlimited' }, rates: { reservePerPrefix: 'unlimited', connectPerPrefix: 'unlimited', connectPerPeer: 'unlimited' } }, maxEventLoopDelay: 'unlimited' },
    },
    nodeArgs,
  );
}

/** @returns nothing when there is nothing to measure, and that is said */
function planOf(): Plan | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        relay: { type: 'string', multiple: true, default: ['ours'] },
        security: { type: 'string', default: 'noise' },
        idle: { type: 'string', default: '30' },
        making: { type: 'string', default: '20' },
        'node-arg': { type: 'string', multiple: true, default: [] },
      },
    });
    if (values.help === true) {
      console.log(USAGE);
      return undefined;
    }
    return {
      counts: (positionals.length === 0 ? ['1000'] : positionals).map((text) => positive('N', text)),
      relays: values.relay.map((name) => oneOf('--relay', name, Object.keys(RELAYS) as RelayName[])),
      security: oneOf('--security', values.security, ['noise', 'tls']),
      idleSeconds: positive('--idle', values.idle),
      makingPerSecond: positive('--making', values.making),
      nodeArgs: values['node-arg'],
    };
  } catch (error) {
    process.exitCode = 64;
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return undefined;
  }
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new Error(`${name}: ${text} is not a number above zero`);
  return value;
}

function oneOf<T extends string>(name: string, text: string, known: readonly T[]): T {
  const found = known.find((word) => word === text);
  if (found === undefined) throw new Error(`${name}: ${text} is none of ${known.join(', ')}`);
  return found;
}

/** Node and go raise their limit of open files to the hard one by themselves; beyond it every connection would fail with a riddle. */
function checkFileLimit(count: number): void {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = Number(/Max open files\s+\S+\s+(\d+)/.exec(limits)?.[1] ?? Infinity);
  if (hard < count + OTHER_FILES) throw new Error(`${count} connections need more open files than the ${hard} this machine allows a process: ulimit -Hn`);
}

/** What it has used when its CPU time stands still, or nearly: peers at rest send pings. */
async function settled(pid: number): Promise<Usage> {
  for (let i = 0; i < 20; i++) {
    const { cpuSeconds } = readUsage(pid);
    await delay(500);
    const now = readUsage(pid);
    if (now.cpuSeconds - cpuSeconds < 0.05) return now;
  }
  return readUsage(pid);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

await main();
