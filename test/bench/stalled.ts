// bench: what circuits whose readers stop cost a relay in memory, and a healthy circuit beside them in speed (--help: options)
import { availableParallelism, cpus } from 'node:os';
import { planOrUsage } from './support/options.ts';
import { writeJson } from './support/report.ts';
import { attempt, usable } from './support/rounds.ts';
import { measure } from './support/stalled-measurement.ts';
import type { Measurement } from './support/stalled-measurement.ts';
import { USAGE, planOf } from './support/stalled-plan.ts';
import { writePlot } from './support/stalled-plot.ts';
import { printResults } from './support/stalled-results.ts';

async function main(): Promise<void> {
  const plan = planOrUsage(planOf, USAGE);
  if (plan === undefined) return;
  const relays = await usable(plan.relays);
  const measurements: Measurement[] = [];
  for (const work of plan.cases) {
    for (const relay of relays) {
      const label = `${relay} ${work.security} ${work.circuits} ${work.placement}`;
      const done = await attempt(label, () => measure(relay, work, plan));
      measurements.push(...done);
      for (const one of done) console.log(`${label.padEnd(28)} ${lineOf(one)}`);
    }
  }
  writeJson('stalled', { host: { cpu: cpus()[0]?.model, cores: availableParallelism() }, measurements });
  printResults(measurements);
  if (plan.plot) writePlot(measurements);
}

function lineOf({ rssPerCircuitMiB, rssMiB, megabytesPerSecond }: Measurement): string {
  const memory = `${rssPerCircuitMiB.toFixed(2).padStart(6)} MiB a circuit   RSS ${rssMiB.before.toFixed(0)} -> ${rssMiB.stalled.toFixed(0)} -> ${rssMiB.after.toFixed(0)} MiB`;
  return `${memory}   healthy ${megabytesPerSecond.before.toFixed(0)} -> ${megabytesPerSecond.stalled.toFixed(0)} MB/s`;
}

await main();
