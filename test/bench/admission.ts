// bench: RESERVE and CONNECT: how many a second and a CPU-second, and how long each takes, ours beside go, rust and js (--help: options)
import { availableParallelism, cpus } from 'node:os';
import { measure } from './support/admission-measurement.ts';
import type { Measurement } from './support/admission-measurement.ts';
import { USAGE, planOf } from './support/admission-plan.ts';
import { writePlot } from './support/admission-plot.ts';
import { printResults } from './support/admission-results.ts';
import { planOrUsage } from './support/options.ts';
import { writeJson } from './support/report.ts';
import { attempt, usable } from './support/rounds.ts';

async function main(): Promise<void> {
  const plan = planOrUsage(planOf, USAGE);
  if (plan === undefined) return;
  const relays = await usable(plan.relays);
  const measurements: Measurement[] = [];
  for (const security of plan.securities) {
    for (const relay of relays) {
      const done = (await attempt(`${relay} ${security}`, () => measure(relay, security, plan))).flat();
      measurements.push(...done);
      for (const one of done) console.log(lineOf(one));
    }
  }
  writeJson('admission', { host: { cpu: cpus()[0]?.model, cores: availableParallelism() }, measurements });
  printResults(measurements);
  if (plan.plot) writePlot(measurements);
}

function lineOf({ relay, security, request, parallel, perSecond, perCpuSecond, p50Ms, p99Ms, maxMs }: Measurement): string {
  const label = `${relay} ${security} ${request} x${parallel}`;
  return `${label.padEnd(32)} ${perSecond.toFixed(0).padStart(6)} /s ${perCpuSecond.toFixed(0).padStart(6)} /CPU-s   p50 ${p50Ms.toFixed(2)} p99 ${p99Ms.toFixed(2)} max ${maxMs.toFixed(2)} ms`;
}

await main();
