import { availableParallelism } from 'node:os';
import { LineProcess } from './line-process.ts';
import { LOAD, built } from './programs.ts';
import { kindOf } from './relays.ts';
import type { MeasuredRelay, RelayName } from './relays.ts';
import type { Case } from './relay-plan.ts';
import { forgetPeak, machineCpuSeconds, readUsage } from './usage.ts';

/** One relay, new for each measurement, and the load of test/bench/load on it. */

const GB = 1e9;
const MB = 1e6;

export interface Measurement extends Case {
  readonly relay: RelayName;
  readonly bytes: number;
  /** Of the relay, all its threads. */
  readonly cpuSecondsPerGB: number;
  readonly megabytesPerSecond: number;
  readonly peakRssMiB: number;
  /** Of the load, both ends together: where it exceeds the relay's, the speed is that of the load. */
  readonly loadCpuSecondsPerGB: number;
  /** What other processes used of the machine meanwhile, of 1: their part of the caches and the cores makes every relay dearer. */
  readonly othersShare: number;
  /** In microseconds of the monotonic clock: what a CPU profile is cut to. */
  readonly window: { readonly fromUs: number; readonly toUs: number };
}

interface Pumped {
  bytes: number;
  seconds: number;
  cpuSeconds: number;
}

export interface Amount {
  readonly measured: number;
  readonly warmUp: number;
}

/** @throws Error when a byte is wrong, missing or too many, or when the relay refuses the work */
export async function measure(name: RelayName, work: Case, amount: Amount, nodeArgs: readonly string[]): Promise<Measurement> {
  const program = await built(LOAD);
  const relay = await kindOf(name).start(work.security, nodeArgs);
  const load = new LineProcess('load', program, ['pump', '--relay', relay.addr, '--security', work.security, '--circuits', String(work.circuits)]);
  try {
    await load.ready();
    return { relay: name, ...work, ...(await measured(relay, load, work, amount)) };
  } finally {
    await load.stop();
    await relay.stop();
  }
}

async function measured(relay: MeasuredRelay, load: LineProcess, { writeBytes }: Case, amount: Amount): Promise<Omit<Measurement, keyof Case | 'relay'>> {
  await load.order('pump', { bytes: amount.warmUp, write: writeBytes });
  forgetPeak(relay.pid);
  const fromUs = nowUs();
  const machineBefore = machineCpuSeconds();
  const before = readUsage(relay.pid);
  const pumped = await load.order<Pumped>('pump', { bytes: amount.measured, write: writeBytes });
  const after = readUsage(relay.pid);
  const machineSeconds = machineCpuSeconds() - machineBefore;
  const toUs = nowUs();
  await load.order('finish');
  const relaySeconds = after.cpuSeconds - before.cpuSeconds;
  return {
    bytes: pumped.bytes,
    cpuSecondsPerGB: (relaySeconds / pumped.bytes) * GB,
    megabytesPerSecond: pumped.bytes / pumped.seconds / MB,
    peakRssMiB: after.peakRssKiB / 1024,
    loadCpuSecondsPerGB: (pumped.cpuSeconds / pumped.bytes) * GB,
    othersShare: Math.max(0, machineSeconds - relaySeconds - pumped.cpuSeconds) / (pumped.seconds * availableParallelism()),
    window: { fromUs, toUs },
  };
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
