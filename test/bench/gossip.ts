// bench: ten `relayd run` on gossip, each in a network namespace (root): how soon a new reservation is reached through each other, traffic, CPU and memory at rest and at 100 reservations/s; on paper, 50 relays and a million (--help: options)
import { parseArgs } from 'node:util';
import { NoiseMeter, machine } from '../faults/support/machine.ts';
import { measureDaemons } from './support/gossip-measurement.ts';
import { entryBytes } from './support/gossip-memory.ts';
import { measureNewcomer } from './support/gossip-newcomer.ts';
import { extrapolation } from './support/gossip-paper.ts';
import type { Plan } from './support/gossip-plan.ts';
import { printDaemons } from './support/gossip-results.ts';
import { niceOf, number, planOrUsage } from './support/options.ts';
import { printTable, writeJson } from './support/report.ts';

const USAGE = `usage: scripts/bench gossip [--relays N] [--rate N] [--seconds N] [--raise N]

  --relays N    processes (10)
  --rate N      new peers that reserve in a second, at all relays together (100)
  --seconds N   of each measurement of traffic; convergence is looked at for three times as long (20)
  --raise N     gives the relays and the peers this much more priority than others have (0, at most 20): for a busy machine`;

const OPTIONS = {
  relays: { type: 'string', default: '10' },
  rate: { type: 'string', default: '100' },
  seconds: { type: 'string', default: '20' },
  raise: { type: 'string', default: '0' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function planOf(args: readonly string[]): Plan | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) return undefined;
  return { relays: number('relays', values.relays), rate: number('rate', values.rate), seconds: number('seconds', values.seconds), nice: niceOf('raise', values.raise) };
}

async function main(): Promise<void> {
  const plan = planOrUsage(planOf, USAGE);
  if (plan === undefined) return;
  const memoryBytes = entryBytes();
  const noise = new NoiseMeter();
  const alone = await measureDaemons(plan, 'none');
  const cluster = await measureDaemons(plan, 'gossip');
  const join = await measureNewcomer();
  const heard = noise.read();
  printDaemons(plan, cluster, alone);
  console.log('\none that joins, where nodes that are nothing but a cluster\'s say that they hold so many:');
  printTable({ reservations: join.reservations, 'MiB fetched': (join.bytes / 2 ** 20).toFixed(1), 'bytes a reservation': (join.bytes / join.reservations).toFixed(1), 'known within, s': join.seconds.toFixed(2), 'CPU, s': join.cpuSeconds.toFixed(2), 'memory, bytes a reservation': memoryBytes.toFixed(0) });
  const paper = extrapolation({ ...plan, cluster, alone, memoryBytes, join });
  console.log('\non paper, 50 relays and 1,000,000 reservations, each renewed every 45 minutes (test/bench/support/gossip-paper.ts):');
  printTable(paper);
  console.log(`\nmeanwhile, of all processors: ${heard.ownPercent} % by this, ${heard.othersPercent} % by others, ${heard.stealPercent} % by other machines`);
  writeJson('gossip', { plan, machine: machine(), noise: heard, cluster, alone, join, memoryBytes, paper });
}

await main();
