import type { Spread } from './gossip-convergence.ts';
import { POLL_MS } from './gossip-measurement.ts';
import type { DaemonsMeasured } from './gossip-measurement.ts';
import type { Plan } from './gossip-plan.ts';
import type { Rates } from './gossip-rates.ts';
import { printTable } from './report.ts';
import { printRows } from './rows.ts';

/** Of relays in a cluster, beside the same relays in none. */
export function printDaemons({ relays, rate }: Plan, cluster: DaemonsMeasured, alone: DaemonsMeasured): void {
  console.log(`${relays} relays, each a relayd; new peers, connected before, that reserve, ${cluster.reserved.perSecond.toFixed(1)} a second (${rate} wanted), ${cluster.reserved.held} in all before convergence was looked at`);
  printRows([['per relay', 'at rest', `${rate}/s`], ...rowsOf(cluster, alone)]);
  console.log();
  printTable(figuresOf(cluster, alone));
}

function rowsOf(cluster: DaemonsMeasured, alone: DaemonsMeasured): string[][] {
  const row = (name: string, read: (rates: Rates) => string): string[] => [name, read(cluster.rest), read(cluster.load)];
  const cpu = (rest: Rates, load: Rates): string[] => [rest, load].map(({ cpuSeconds }) => (100 * cpuSeconds).toFixed(2));
  return [
    row('KiB/s from other relays, counted on the cable', ({ inBytes }) => kib(inBytes)),
    row('KiB/s to them', ({ outBytes }) => kib(outBytes)),
    row('of gossip, each message once, by its own counters: KiB/s in', ({ inGossipBytes }) => kib(inGossipBytes)),
    row('of comparisons, both ways: KiB/s', ({ syncBytes }) => kib(syncBytes)),
    row('of limits over the cluster and signs of life: KiB/s in', ({ inLinkBytes }) => kib(inLinkBytes)),
    row('messages of gossip heard a second', ({ inMessages }) => inMessages.toFixed(1)),
    row('told', ({ outMessages }) => outMessages.toFixed(2)),
    row('refused', ({ refused }) => refused.toFixed(2)),
    row('questions of limits a second', ({ decisions }) => decisions.toFixed(1)),
    row('of that, not answered in time by the relay that counts', ({ decidedAlone }) => decidedAlone.toFixed(2)),
    ['CPU, % of a core', ...cpu(cluster.rest, cluster.load)],
    ['the same with coordination.backend none', ...cpu(alone.rest, alone.load)],
    row('waiting for a processor, % of the time', ({ waitedSeconds }) => (100 * waitedSeconds).toFixed(1)),
    ['RSS, MiB', mib(cluster.restRssKiB), mib(cluster.loadRssKiB)],
    ['the same with none', mib(alone.restRssKiB), mib(alone.loadRssKiB)],
  ];
}

function figuresOf({ reserved, convergence }: DaemonsMeasured, alone: DaemonsMeasured): Record<string, string> {
  return {
    'RESERVE, connected': `p50 ${reserved.p50Ms.toFixed(1)}, p99 ${reserved.p99Ms.toFixed(1)} ms, ${reserved.failed} refused (none: ${alone.reserved.p50Ms.toFixed(1)}, ${alone.reserved.p99Ms.toFixed(1)})`,
    ...(convergence === undefined
      ? {}
      : {
          'from its OK until a circuit is open through one other relay': ms(convergence.one),
          'through the last of all others': ms(convergence.all),
          [`of that, resolution: since the last refusal (asked every ${POLL_MS} ms, and a circuit over two relays to set up)`]: ms(convergence.within),
          'never, and refused': `${convergence.lost}, ${convergence.failed}`,
        }),
  };
}

const ms = ({ count, p50, p99, max }: Spread): string => `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms of ${count}`;
const kib = (bytes: number): string => (bytes / 1024).toFixed(1);
const mib = (sizeKiB: number): string => (sizeKiB / 1024).toFixed(0);
