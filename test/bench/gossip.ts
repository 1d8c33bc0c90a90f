// bench: gossip among relays, each a process: how soon all know a reservation, traffic and CPU per relay at rest and under load, what a newcomer fetches; then, on paper, 50 relays and a million reservations
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { until } from '../support/waiting.ts';
import { entryBytes } from './support/gossip-memory.ts';
import { extrapolation } from './support/gossip-paper.ts';
import { LineProcess } from './support/line-process.ts';
import { number, planOrUsage } from './support/options.ts';
import { percentile, printTable, writeJson } from './support/report.ts';
import { readUsage } from './support/usage.ts';

const NODE = fileURLToPath(new URL('support/gossip-node.ts', import.meta.url));
const PATIENCE_MS = 120_000;

/** Links and meshes have settled by then. */
const SETTLE_MS = 5_000;

/** What a newcomer fetches: enough to be timed. */
const NEWCOMER_RESERVATIONS = 100_000;
const BATCH = 5_000;

const USAGE = `usage: scripts/bench gossip [--relays N] [--rate N] [--seconds N]
  --relays N    processes (10)
  --rate N      reservations a second, in all (100)
  --seconds N   of each measurement (20)`;

interface Plan {
  readonly relays: number;
  readonly rate: number;
  readonly seconds: number;
}

interface Counts {
  readonly inBytes: number;
  readonly outBytes: number;
  readonly inMessages: number;
  readonly outMessages: number;
  readonly inGossipBytes: number;
  readonly syncBytes: number;
  readonly refused: number;
  readonly cpuSeconds: number;
}

/** Per relay and second. */
export type Rates = Record<keyof Counts, number>;

function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: { relays: { type: 'string', default: '10' }, rate: { type: 'string', default: '100' }, seconds: { type: 'string', default: '20' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help) return undefined;
  return { relays: number('relays', values.relays), rate: number('rate', values.rate), seconds: number('seconds', values.seconds) };
}

/** @returns them, and what it costs to start one that is alone */
async function startAll(count: number): Promise<{ relays: LineProcess[]; startSeconds: number }> {
  const relays: LineProcess[] = [];
  const addrs: string[] = [];
  let startSeconds = 0;
  for (let i = 0; i < count; i++) {
    const relay = new LineProcess(`relay ${i}`, process.execPath, [NODE, ...addrs]);
    relays.push(relay);
    addrs.push(...((await relay.ready()).addrs ?? []));
    if (i === 0) startSeconds = readUsage(relay.pid).cpuSeconds;
  }
  await until(async () => (await statuses(relays)).every(({ live }) => live === count - 1), 'all relays know each other', PATIENCE_MS);
  return { relays, startSeconds };
}

function statuses(relays: readonly LineProcess[]): Promise<{ live: number; known: number }[]> {
  return Promise.all(relays.map((relay) => relay.order<{ live: number; known: number }>('status')));
}

async function counts(relay: LineProcess): Promise<Counts> {
  return { ...(await relay.order<Omit<Counts, 'cpuSeconds'>>('traffic')), cpuSeconds: readUsage(relay.pid).cpuSeconds };
}

/** What a relay does in a second, on average over relays and `seconds`. */
async function ratesOver(relays: readonly LineProcess[], seconds: number): Promise<Rates> {
  const before = await Promise.all(relays.map(counts));
  const start = performance.now();
  await delay(seconds * 1_000);
  const after = await Promise.all(relays.map(counts));
  const passed = ((performance.now() - start) / 1_000) * relays.length;
  const rate = (name: keyof Counts): number => after.reduce((sum, one, i) => sum + one[name] - (before[i]?.[name] ?? 0), 0) / passed;
  return { inBytes: rate('inBytes'), outBytes: rate('outBytes'), inMessages: rate('inMessages'), outMessages: rate('outMessages'), inGossipBytes: rate('inGossipBytes'), syncBytes: rate('syncBytes'), refused: rate('refused'), cpuSeconds: rate('cpuSeconds') };
}

/** For each reservation, how long after it was made each other relay knew it; milliseconds. */
async function convergence(relays: readonly LineProcess[]): Promise<{ each: number[]; last: number[]; missing: number }> {
  const times = await Promise.all(relays.map((relay) => relay.order<{ told: [string, number][]; heard: [string, number][] }>('times')));
  const heard = times.map((one) => new Map(one.heard));
  const all = times.flatMap((one, i) => one.told.map(([peer, at]) => heard.flatMap((map, j) => (i === j ? [] : [(map.get(peer) ?? NaN) - at]))));
  const each = all.flat();
  return { each: each.filter((ms) => !Number.isNaN(ms)), last: all.map((ms) => Math.max(...ms)).filter((ms) => !Number.isNaN(ms)), missing: each.filter((ms) => Number.isNaN(ms)).length };
}

/** How long one that joins takes to know `NEWCOMER_RESERVATIONS` more. */
async function newcomer(relays: readonly LineProcess[], startSeconds: number): Promise<{ reservations: number; seconds: number; bytes: number; cpuSeconds: number }> {
  const [first] = relays as [LineProcess];
  for (let i = 0; i < NEWCOMER_RESERVATIONS / BATCH; i++) await first.order('publish', { reservations: BATCH });
  const known = async (): Promise<number[]> => (await statuses(relays.slice(1))).map((status) => status.known);
  await until(async () => (await known()).every((count) => count >= NEWCOMER_RESERVATIONS), 'all know the reservations', PATIENCE_MS);
  const { addrs = [] } = await first.ready();
  const late = new LineProcess('newcomer', process.execPath, [NODE, ...addrs]);
  try {
    await late.ready();
    const start = performance.now();
    await until(async () => (await statuses([late]))[0]?.known === (await total(relays)), 'the newcomer knows all', PATIENCE_MS);
    const seconds = (performance.now() - start) / 1_000;
    const { inBytes, cpuSeconds } = await counts(late);
    return { reservations: await total(relays), seconds, bytes: inBytes, cpuSeconds: cpuSeconds - startSeconds };
  } finally {
    await late.stop();
  }
}

/** What the first relay knows of all others, and what it has told itself. */
async function total([first]: readonly LineProcess[]): Promise<number> {
  const { told, heard } = (await first?.order<{ told: unknown[]; heard: unknown[] }>('times')) ?? { told: [], heard: [] };
  return told.length + heard.length;
}

function rows(name: string, rates: Rates): Record<string, string> {
  return {
    [`${name}: KiB/s in, per relay`]: kib(rates.inBytes),
    [`${name}: KiB/s out, per relay`]: kib(rates.outBytes),
    [`${name}: of that, KiB/s of gossip heard (each message once)`]: kib(rates.inGossipBytes),
    [`${name}: of that, KiB/s of anti-entropy, in and out`]: kib(rates.syncBytes),
    [`${name}: messages/s heard`]: rates.inMessages.toFixed(1),
    [`${name}: messages/s told`]: rates.outMessages.toFixed(2),
    [`${name}: refused/s`]: rates.refused.toFixed(2),
    [`${name}: CPU, % of a core per relay`]: (100 * rates.cpuSeconds).toFixed(2),
  };
}

function kib(bytes: number): string {
  return (bytes / 1024).toFixed(2);
}

async function measure(plan: Plan): Promise<void> {
  const memoryBytes = entryBytes();
  const { relays, startSeconds } = await startAll(plan.relays);
  try {
    await delay(SETTLE_MS);
    const rest = await ratesOver(relays, plan.seconds);
    await Promise.all(relays.map((relay) => relay.order('load', { perSecond: plan.rate / plan.relays })));
    const load = await ratesOver(relays, plan.seconds);
    await Promise.all(relays.map((relay) => relay.order('load', { perSecond: 0 })));
    await delay(SETTLE_MS);
    const { each, last, missing } = await convergence(relays);
    const join = await newcomer(relays, startSeconds);
    const figures = {
      relays: plan.relays,
      'reservations measured': last.length,
      'known at one other relay after, ms p50': percentile(each, 50).toFixed(1),
      'known at all others after, ms p50': percentile(last, 50).toFixed(1),
      'known at all others after, ms p99': percentile(last, 99).toFixed(1),
      'known at all others after, ms max': Math.max(...last).toFixed(1),
      'never known': missing,
      ...rows('at rest', rest),
      ...rows(`${plan.rate} reservations/s`, load),
      'a newcomer fetches, reservations': join.reservations,
      'a newcomer fetches within, s': join.seconds.toFixed(2),
      'a newcomer needs, s of CPU': join.cpuSeconds.toFixed(2),
      'a newcomer fetches, bytes a reservation': (join.bytes / join.reservations).toFixed(1),
      'memory, bytes a reservation': memoryBytes.toFixed(0),
    };
    printTable(figures);
    const paper = extrapolation({ relays: plan.relays, rate: plan.rate, rest, load, memoryBytes, join });
    console.log('\non paper, 50 relays and 1,000,000 reservations, each renewed every 45 minutes (test/bench/support/gossip-paper.ts):');
    printTable(paper);
    writeJson('gossip', { plan, rest, load, join, memoryBytes, convergence: { p50: percentile(last, 50), p99: percentile(last, 99), max: Math.max(...last), missing }, paper });
  } finally {
    await Promise.all(relays.map((relay) => relay.stop()));
  }
}

const plan = planOrUsage(planOf, USAGE);
if (plan !== undefined) await measure(plan);
