// bench: CPU seconds per GB, MB/s and memory of relays at work, ours beside go-libp2p's, rust-libp2p's and js-libp2p's (--help: options)
import { globSync, mkdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { printSelfTimes, selfTimes } from './support/cpu-profile.ts';
import { planOrUsage } from './support/options.ts';
import { measure } from './support/relay-measurement.ts';
import type { Measurement } from './support/relay-measurement.ts';
import { USAGE, bytesOf, planOf } from './support/relay-plan.ts';
import type { Case, Plan } from './support/relay-plan.ts';
import { writePlot } from './support/relay-plot.ts';
import { printResults, resultsOf } from './support/relay-results.ts';
import { isOurs } from './support/relays.ts';
import type { RelayName } from './support/relays.ts';
import { writeJson } from './support/report.ts';
import { attempt, rotated, usable } from './support/rounds.ts';

async function main(): Promise<void> {
  const plan = planOrUsage(planOf, USAGE);
  if (plan === undefined) return;
  const relays = await usable(plan.relays);
  const measurements: Measurement[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    for (const work of plan.cases) {
      for (const relay of rotated(relays, round)) {
        measurements.push(...(await attempt(labelOf(relay, work), () => measureOne(plan, relay, work, round))));
      }
    }
    const host = { cpu: cpus()[0]?.model, cores: availableParallelism() };
    writeJson('relay', { host, rounds: round + 1, results: resultsOf(measurements), measurements });
  }
  const results = resultsOf(measurements);
  printResults(results);
  if (plan.plot) writePlot(results);
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
