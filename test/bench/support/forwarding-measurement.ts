import { WirePeer } from '../../support/wire-peer.ts';
import { until } from '../../support/waiting.ts';
import { LineProcess } from './line-process.ts';
import { LOAD, built } from './programs.ts';
import type { RelayPair } from './forwarding-pair.ts';
import type { Amount } from './relay-measurement.ts';
import type { RelayProcess } from './relay-process.ts';
import type { Security } from './relays.ts';
import { percentile } from './report.ts';

const GB = 1e9;
const MB = 1e6;

export interface Work {
  readonly security: Security;
  readonly circuits: number;
  readonly writeBytes: number;
}

/** Of one path: `entry` is the only relay where there is one. */
export interface PathCost {
  readonly entryCpuSecondsPerGB: number;
  readonly exitCpuSecondsPerGB: number;
  readonly megabytesPerSecond: number;
  readonly loadCpuSecondsPerGB: number;
}

interface Pumped {
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** What it costs to carry bytes from a source at `entry` to a target at `exit`; over one relay when both are at the exit. */
export async function measurePath({ entry, exit }: RelayPair, relays: 1 | 2, work: Work, amount: Amount): Promise<PathCost> {
  const path = relays === 1 ? over(exit) : [...over(entry), '--target-relay', exit.addr];
  const { bytes, seconds, relayCpuSeconds: [entrySeconds = NaN, exitSeconds = NaN], loadCpuSeconds } = await carry([path], [entry, exit], work, amount);
  const perGB = (cpuSeconds: number): number => (cpuSeconds / bytes) * GB;
  return { entryCpuSecondsPerGB: perGB(entrySeconds), exitCpuSecondsPerGB: perGB(exitSeconds), megabytesPerSecond: bytes / seconds / MB, loadCpuSecondsPerGB: perGB(loadCpuSeconds) };
}

/**
 * CPU seconds per GB of two relays that carry half of the bytes each, at the same time and each for itself: their processors and caches
 * are as busy as with circuits over both.
 */
export async function measureBeside({ entry, exit }: RelayPair, work: Work, { measured, warmUp }: Amount): Promise<number> {
  const { bytes, relayCpuSeconds } = await carry([over(entry), over(exit)], [entry, exit], work, { measured: measured / 2, warmUp: warmUp / 2 });
  return (sum(relayCpuSeconds) / bytes) * GB;
}

function over({ addr }: RelayProcess): readonly string[] {
  return ['--relay', addr];
}

interface Carried {
  /** By all loads together. */
  readonly bytes: number;
  /** Until the last of them was done. */
  readonly seconds: number;
  readonly relayCpuSeconds: readonly number[];
  readonly loadCpuSeconds: number;
}

/** A load for each of `paths`, all at the same time, each with the whole amount. */
async function carry(paths: readonly (readonly string[])[], relays: readonly RelayProcess[], { security, circuits, writeBytes }: Work, amount: Amount): Promise<Carried> {
  const program = await built(LOAD);
  const loads = paths.map((path) => new LineProcess('load', program, ['pump', ...path, '--security', security, '--circuits', String(circuits)]));
  const pump = (bytes: number): Promise<Pumped[]> => Promise.all(loads.map((load) => load.order<Pumped>('pump', { bytes: Math.ceil(bytes), write: writeBytes })));
  try {
    await Promise.all(loads.map((load) => load.ready()));
    await pump(amount.warmUp);
    const before = relays.map((relay) => relay.usage().cpuSeconds);
    const pumped = await pump(amount.measured);
    const after = relays.map((relay) => relay.usage().cpuSeconds);
    await Promise.all(loads.map((load) => load.order('finish')));
    return {
      bytes: sum(pumped.map(({ bytes }) => bytes)),
      seconds: Math.max(...pumped.map(({ seconds }) => seconds)),
      relayCpuSeconds: after.map((seconds, i) => seconds - (before[i] ?? NaN)),
      loadCpuSeconds: sum(pumped.map(({ cpuSeconds }) => cpuSeconds)),
    };
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

export interface SetUp {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Before anything is measured: code that is compiled. */
const WARM_UP = 100;

/** From CONNECT until its answer, over one relay and over two, in turns: what the machine does meanwhile hits both alike. */
export async function measureSetUp({ entry, exit }: RelayPair, count: number): Promise<{ one: SetUp; two: SetUp }> {
  const peers = await Promise.all([WirePeer.start(), WirePeer.start(), WirePeer.start()]);
  const [target, near, far] = peers;
  try {
    await Promise.all([target.connect(exit.addr), near.connect(exit.addr), far.connect(entry.addr)]);
    if ((await target.reserve()).status !== 100) throw new Error('the target holds no reservation');
    await until(async () => (await connect(far, target)).ok, 'the entry to know of the reservation');
    const times = { one: [] as number[], two: [] as number[] };
    for (let i = 0; i < WARM_UP + count; i++) {
      for (const [path, source] of [['one', near], ['two', far]] as const) {
        const { ok, ms } = await connect(source, target);
        if (!ok) throw new Error(`a circuit over ${path} was refused`);
        if (i >= WARM_UP) times[path].push(ms);
      }
    }
    return { one: setUpOf(times.one), two: setUpOf(times.two) };
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}

async function connect(source: WirePeer, target: WirePeer): Promise<{ ok: boolean; ms: number }> {
  const start = performance.now();
  const { status, stream } = await source.connectTo(target.peerId);
  const ms = performance.now() - start;
  if (status === 100) (await target.nextIncoming()).stream.abort(new Error('that is all'));
  stream.abort(new Error('that is all'));
  return { ok: status === 100, ms };
}

function setUpOf(times: readonly number[]): SetUp {
  return { p50Ms: percentile(times, 50), p99Ms: percentile(times, 99) };
}
