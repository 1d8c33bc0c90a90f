import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Case, Plan } from './latency-plan.ts';
import { LineProcess } from './line-process.ts';
import { LOAD, built } from './programs.ts';
import { kindOf } from './relays.ts';
import type { MeasuredRelay, RelayName } from './relays.ts';
import { raise, waitedSeconds } from './scheduling.ts';
import { machineCpuSeconds, readUsage } from './usage.ts';

/** One relay, new for each measurement, the pings through it and beside it, and the bulk that keeps it busy. */

const MB = 1e6;
const BULK_WRITE_BYTES = 65_536;
/** Hosts, and so TCP connections, at each end of the bulk on other connections; further circuits share them, as in `relay`. */
const MAX_BULK_HOSTS = 8;
/** Compilers have settled, windows and the processor's clock have risen after this. */
const WARM_UP_MS = 1500;

export interface RoundTrips {
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

export interface Measurement extends Case {
  readonly relay: RelayName;
  readonly bytes: number;
  readonly relayed: RoundTrips;
  /** Of it, what passed before the sender's muxer took the ping: no relay has a part in it. */
  readonly atSend: RoundTrips;
  /** Between two hosts with no relay, by the same process in the same seconds: what the machine and the load do to any ping. */
  readonly direct: RoundTrips;
  readonly bulkMegabytesPerSecond: number;
  /** Of one core. */
  readonly relayCpuShare: number;
  /** The share of the time in which the relay could have run, and others did. */
  readonly relayWaitShare: number;
  /** What neither the relay nor the load used of the machine, of 1: it makes every relay slower. */
  readonly othersShare: number;
}

/** The processes that ping and that send bulk: one and the same where the bulk is on the pinged circuit's connections. */
interface Load {
  readonly pings: LineProcess;
  readonly bulk: LineProcess | undefined;
}

/** @returns one measurement for each size of ping. @throws Error when a byte is wrong or a ping is lost */
export async function measure(name: RelayName, work: Case, plan: Plan): Promise<Measurement[]> {
  const program = await built(LOAD);
  const relay = await kindOf(name).start(work.security, plan.nodeArgs);
  const args = ['latency', '--relay', relay.addr, '--security', work.security];
  const pings = new LineProcess('pings', program, args);
  // Cheap, on one core if there are two: what it takes is missing to the relay and the pings.
  const bulk = work.placement === 'other' ? new LineProcess('bulk', program, [...args, '--batch', '--processors', '1']) : undefined;
  const load = { pings, bulk: work.placement === 'shared' ? pings : bulk };
  try {
    await Promise.all([pings.ready(), bulk?.ready()]);
    raise([relay, pings, ...(bulk === undefined ? [] : [bulk])], plan.nice);
    await pings.order('open');
    return await underLoad(load, work, () => inAllSizes(name, relay, load, work, plan));
  } finally {
    await Promise.all([pings.stop(), bulk?.stop()]);
    await relay.stop();
  }
}

async function underLoad<T>({ pings, bulk }: Load, work: Case, measuring: () => Promise<T>): Promise<T> {
  const connections = work.placement === 'shared' ? 1 : Math.min(work.bulk, MAX_BULK_HOSTS);
  await bulk?.order('flood', { circuits: work.bulk, connections, write: BULK_WRITE_BYTES });
  await (bulk === undefined ? pings.order('ping', { bytes: 32, seconds: WARM_UP_MS / 1000, gapUs: 0 }) : delay(WARM_UP_MS));
  const result = await measuring();
  await bulk?.order('rest');
  return result;
}

async function inAllSizes(name: RelayName, relay: MeasuredRelay, load: Load, work: Case, plan: Plan): Promise<Measurement[]> {
  const all: Measurement[] = [];
  for (const bytes of plan.sizes) {
    all.push({ relay: name, ...work, bytes, ...(await pinged(relay, load, bytes, plan)) });
  }
  return all;
}

async function pinged(relay: MeasuredRelay, load: Load, bytes: number, plan: Plan): Promise<Omit<Measurement, keyof Case | 'relay' | 'bytes'>> {
  const gapUs = load.bulk === undefined ? 0 : plan.gapUs;
  const before = await seen(relay, load);
  const { relayed, atSend, direct } = await load.pings.order<Pick<Measurement, 'relayed' | 'atSend' | 'direct'>>('ping', { bytes, seconds: plan.seconds, gapUs });
  const after = await seen(relay, load);
  const seconds = after.at - before.at;
  const relayCpu = after.relayCpu - before.relayCpu;
  const loadCpu = after.loadCpu - before.loadCpu;
  return {
    relayed,
    atSend,
    direct,
    bulkMegabytesPerSecond: (after.bulkBytes - before.bulkBytes) / seconds / MB,
    relayCpuShare: relayCpu / seconds,
    relayWaitShare: (after.relayWaited - before.relayWaited) / seconds,
    othersShare: Math.max(0, after.machineCpu - before.machineCpu - relayCpu - loadCpu) / (seconds * availableParallelism()),
  };
}

/** Everything that grows, in seconds and bytes. */
interface Seen {
  readonly at: number;
  readonly bulkBytes: number;
  readonly machineCpu: number;
  readonly relayCpu: number;
  readonly relayWaited: number;
  readonly loadCpu: number;
}

async function seen(relay: MeasuredRelay, { pings, bulk }: Load): Promise<Seen> {
  const bulkBytes = bulk === undefined ? 0 : (await bulk.order<{ bytes: number }>('received')).bytes;
  const processes = new Set([pings, ...(bulk === undefined ? [] : [bulk])]);
  return {
    at: performance.now() / 1000,
    bulkBytes,
    machineCpu: machineCpuSeconds(),
    relayCpu: readUsage(relay.pid).cpuSeconds,
    relayWaited: waitedSeconds(relay.pid),
    loadCpu: [...processes].reduce((sum, { pid }) => sum + readUsage(pid).cpuSeconds, 0),
  };
}
