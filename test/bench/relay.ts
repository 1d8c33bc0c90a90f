// bench: CPU seconds per GB, MB/s and memory of relays at work, ours beside go-libp2p's, rust-libp2p's and js-libp2p's (--help: options)
import { globSync, mkdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { printSelfTimes, selfTimes } from './support/cpu-profile.ts';
import { LOAD, RUST_PEER, built } from './support/programs.ts';
import { measure } from './support/relay-measurement.ts';
import type { Measurement } from './support/relay-measurement.ts';
import { USAGE, bytesOf, planOf } from './support/relay-plan.ts';
import type { Case, Plan } from './support/relay-plan.ts';
import { writePlot } from './support/relay-plot.ts';
import { printResults, resultsOf } from './support/relay-results.ts';
import { isOurs } from './support/relays.ts';
import type { RelayName } from './support/relays.ts';
import { writeJson } from './support/report.ts';

async function main(): Promise<void> {
  const plan = wanted();
  if (plan === undefined) return;
  const relays = await usable(plan.relays);
  const measurements: Measurement[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    for (const work of plan.cases) {
      // Whoever comes first in one round does not in the next: what the machine does meanwhile hits all alike.
      for (const relay of rotated(relays, round)) {
        measurements.push(...(await attempt(plan, relay, work, round)));
      }
    }
    const host = { cpu: cpus()[0]?.model, cores: availableParallelism() };
    writeJson('relay', { host, rounds: round + 1, results: resultsOf(measurements), measurements });
  }
  const results = resultsOf(measurements);
  printResults(results);
  if (plan.plot) writePlot(results);
}

/** @returns nothing when there is nothing to measure, and that is said */
function wanted(): Plan | undefined {
  try {
    const plan = planOf(process.argv.slice(2));
    if (plan === undefined) console.log(USAGE);
    return plan;
  } catch (error) {
    process.exitCode = 64;
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return undefined;
  }
}

/** What cannot be built here is left out, and said. */
async function usable(names: readonly RelayName[]): Promise<RelayName[]> {
  await built(LOAD);
  const problem = names.includes('rust') ? await built(RUST_PEER).then(() => undefined, (error: Error) => error.message) : undefined;
  if (problem === undefined) return [...names];
  console.error(`without rust: ${problem}`);
  return names.filter((name) => name !== 'rust');
}

/** One failure ends neither the rest nor in silence. */
async function attempt(plan: Plan, relay: RelayName, work: Case, round: number): Promise<Measurement[]> {
  try {
    return [await measureOne(plan, relay, work, round)];
  } catch (error) {
    process.exitCode = 1;
    console.error(`FAILED  ${labelOf(relay, work)}: ${(error as Error).message}`);
    return [];
  }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

async function measureOne(plan: Plan, relay: RelayName, work: Case, round: number): Promise<Measurement> {
  const label = labelOf(relay, work);
  const folder = plan.profileDir === undefined || !isOurs(relay) ? undefined : resolve(plan.profileDir, `${label.replaceAll(' ', '-')}-round${round + 1}-${process.pid}`);
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  const result = await measure(relay, work, bytesOf(plan, relay, work), folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
  console.log(`round ${round + 1}/${plan.rounds}  ${label.padEnd(36)} ${lineOf(result)}`);
  if (folder !== undefined) showProfile(folder, label, result);
  return result;
}

function labelOf(relay: RelayName, { security, circuits, writeBytes }: Case): string {
  return `${relay} ${security} ${circuits}x${writeBytes}`;
}

function lineOf(one: Measurement): string {
  const relay = `${one.cpuSecondsPerGB.toFixed(2).padStart(7)} CPU-s/GB ${one.megabytesPerSecond.toFixed(0).padStart(5)} MB/s ${one.peakRssMiB.toFixed(0).padStart(5)} MiB`;
  return `${relay}   load ${one.loadCpuSecondsPerGB.toFixed(2).padStart(5)} CPU-s/GB   others ${(one.othersShare * 100).toFixed(0).padStart(2)} % of the machine`;
}

function showProfile(folder: string, label: string, { window }: Measurement): void {
  for (const file of globSync(join(folder, '*.cpuprofile'))) {
    printSelfTimes(label, selfTimes(file, window));
    console.log(`         ${file}\n`);
  }
}

await main();
