// bench: a circuit over two relays of a cluster beside one over a single relay: CPU of both relays, and the time until it is there (--help: options)
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { measureBeside, measurePath, measureSetUp } from './support/forwarding-measurement.ts';
import type { PathCost, SetUp, Work } from './support/forwarding-measurement.ts';
import { startPair } from './support/forwarding-pair.ts';
import type { RelayPair } from './support/forwarding-pair.ts';
import { names, number, numbers, planOrUsage } from './support/options.ts';
import { percentile, writeJson } from './support/report.ts';
import { attempt } from './support/rounds.ts';
import { printRows } from './support/rows.ts';

const USAGE = `usage: scripts/bench forwarding [OPTIONS]

  --writes N,N        bytes of each write of the sender (65536,4096)
  --circuits N        circuits at the same time (8)
  --security A,B      of noise, tls (tls,noise)
  --rounds N          the result is the median of this many (3)
  --mb N              MiB of each measurement (512)
  --set-ups N         circuits that are opened over each path, to time them (1000)
  --profile DIR       leaves CPU profiles of the relays there`;

const MIB = 1 << 20;

interface Plan {
  readonly works: readonly Work[];
  readonly rounds: number;
  readonly bytes: number;
  readonly setUps: number;
  readonly nodeArgs: readonly string[];
}

interface Measurement extends Work {
  readonly one: PathCost;
  /** CPU seconds per GB of a relay beside another one that does the same. */
  readonly besideCpuSecondsPerGB: number;
  readonly two: PathCost;
}

function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      writes: { type: 'string', default: '65536,4096' },
      circuits: { type: 'string', default: '8' },
      security: { type: 'string', default: 'tls,noise' },
      rounds: { type: 'string', default: '3' },
      mb: { type: 'string', default: '512' },
      'set-ups': { type: 'string', default: '1000' },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const circuits = number('circuits', values.circuits);
  return {
    works: names('security', values.security, ['noise', 'tls']).flatMap((security) => numbers('writes', values.writes).map((writeBytes) => ({ security, circuits, writeBytes }))),
    rounds: number('rounds', values.rounds),
    bytes: number('mb', values.mb) * MIB,
    setUps: number('set-ups', values['set-ups']),
    nodeArgs: values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`],
  };
}

async function main(): Promise<void> {
  const plan = planOrUsage(planOf, USAGE);
  if (plan === undefined) return;
  const measurements: Measurement[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    for (const work of plan.works) {
      measurements.push(...(await attempt(labelOf(work), () => withPair(plan, work, (pair) => measureBoth(pair, plan, work)))));
    }
  }
  // The peers that are timed speak noise.
  const [setUp] = await attempt('set-up', () => withPair(plan, { security: 'noise' }, (pair) => measureSetUp(pair, plan.setUps)));
  show(measurements, setUp);
  writeJson('forwarding', { host: { cpu: cpus()[0]?.model, cores: availableParallelism() }, measurements, setUp });
}

async function withPair<T>({ nodeArgs }: Plan, { security }: Pick<Work, 'security'>, use: (pair: RelayPair) => Promise<T>): Promise<T> {
  const pair = await startPair(security, nodeArgs);
  try {
    return await use(pair);
  } finally {
    await pair.stop();
  }
}

async function measureBoth(pair: RelayPair, { bytes }: Plan, work: Work): Promise<Measurement> {
  const amount = { measured: bytes, warmUp: Math.ceil(bytes / 4) };
  const one = await measurePath(pair, 1, work, amount);
  const beside = await measureBeside(pair, work, amount);
  const two = await measurePath(pair, 2, work, amount);
  console.log(`${labelOf(work).padEnd(16)} one ${one.exitCpuSecondsPerGB.toFixed(2)} CPU-s/GB, ${one.megabytesPerSecond.toFixed(0)} MB/s   beside another ${beside.toFixed(2)} CPU-s/GB   two ${two.entryCpuSecondsPerGB.toFixed(2)} + ${two.exitCpuSecondsPerGB.toFixed(2)} CPU-s/GB, ${two.megabytesPerSecond.toFixed(0)} MB/s`);
  return { ...work, one, besideCpuSecondsPerGB: beside, two };
}

function labelOf({ security, circuits, writeBytes }: Work): string {
  return `${security} ${circuits}x${writeBytes}`;
}

function show(measurements: readonly Measurement[], setUp: { one: SetUp; two: SetUp } | undefined): void {
  const rows = [...Map.groupBy(measurements, labelOf)].map(([label, rounds]) => {
    const median = (read: (one: Measurement) => number): number => percentile(rounds.map(read), 50);
    const one = median((each) => each.one.exitCpuSecondsPerGB);
    const beside = median((each) => each.besideCpuSecondsPerGB);
    const [entry, exit] = [median((each) => each.two.entryCpuSecondsPerGB), median((each) => each.two.exitCpuSecondsPerGB)];
    const costs = [one, beside, entry, exit, (entry + exit) / one, (entry + exit) / beside].map((each) => each.toFixed(2));
    return [label, ...costs, median((each) => each.one.megabytesPerSecond).toFixed(0), median((each) => each.two.megabytesPerSecond).toFixed(0)];
  });
  console.log('\nCPU-s/GB of the relay of a circuit over one, alone and beside another that does the same, and of both of a circuit over two; MB/s of each path');
  printRows([['', 'one relay', 'beside', 'entry', 'exit', 'both / one', 'both / beside', 'MB/s one', 'MB/s two'], ...rows]);
  if (setUp === undefined) return;
  const { one, two } = setUp;
  console.log(`\nset-up: one relay p50 ${one.p50Ms.toFixed(2)} ms, p99 ${one.p99Ms.toFixed(2)} ms; two p50 ${two.p50Ms.toFixed(2)} ms, p99 ${two.p99Ms.toFixed(2)} ms; added p50 ${(two.p50Ms - one.p50Ms).toFixed(2)} ms, p99 ${(two.p99Ms - one.p99Ms).toFixed(2)} ms, and two round trips between the relays`);
}

await main();
