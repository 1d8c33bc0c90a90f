// bench: what a relay adds to a round trip, idle and beside bulk circuits, ours beside go-libp2p's and no relay at all (--help: options)
import { availableParallelism, cpus } from 'node:os';
import { measure } from './support/latency-measurement.ts';
import type { Measurement } from './support/latency-measurement.ts';
import { USAGE, planOf } from './support/latency-plan.ts';
import type { Case, Plan } from './support/latency-plan.ts';
import { writePlot } from './support/latency-plot.ts';
import { printResults, resultsOf } from './support/latency-results.ts';
import { planOrUsage } from './support/options.ts';
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
        measurements.push(...(await attempt(labelOf(relay, work), () => measureOne(plan, relay, work, round))).flat());
      }
    }
    const host = { cpu: cpus()[0]?.model, cores: availableParallelism() };
    writeJson('latency', { host, rounds: round + 1, results: resultsOf(measurements), measurements });
  }
  const results = resultsOf(measurements);
  printResults(results);
  if (plan.plot) writePlot(results);
}

async function measureOne(plan: Plan, relay: RelayName, work: Case, round: number): Promise<Measurement[]> {
  const all = await measure(relay, work, plan);
  for (const one of all) {
    console.log(`round ${round + 1}/${plan.rounds}  ${labelOf(relay, work).padEnd(28)} ${lineOf(one)}`);
  }
  return all;
}

function labelOf(relay: RelayName, { security, placement, bulk }: Case): string {
  return `${relay} ${security} ${placement}${bulk === 0 ? '' : ` ${bulk}`}`;
}

function lineOf({ bytes, relayed, atSend, direct, bulkMegabytesPerSecond, relayCpuShare, relayWaitShare, othersShare }: Measurement): string {
  const trips = `${String(bytes).padStart(5)} B  p50 ${ms(relayed.p50Us)} p99 ${ms(relayed.p99Us)} max ${ms(relayed.maxUs)} ms of ${relayed.count} (to send: p99 ${ms(atSend.p99Us)})`;
  return `${trips}   direct p50 ${ms(direct.p50Us)} p99 ${ms(direct.p99Us)}   bulk ${bulkMegabytesPerSecond.toFixed(0).padStart(4)} MB/s   relay: runs ${percent(relayCpuShare)} waits ${percent(relayWaitShare)}   others ${percent(othersShare)}`;
}

function ms(us: number): string {
  return (us / 1000).toFixed(2).padStart(7);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0).padStart(3)} %`;
}

await main();
