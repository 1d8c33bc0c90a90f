import { printRows } from './rows.ts';
import type { Measurement } from './stalled-measurement.ts';

const HEAD = ['security', 'stalled', 'connections', 'relay', 'RSS before', 'stalled', 'after', 'RSS each', 'pushed each', 'relay says each', 'after', 'healthy MB/s', 'beside stalled'];

/** What is resident for one circuit, where it is not lost in what a process gains and loses anyway. */
const TARGET = { rssPerCircuitMiB: 1, fromCircuits: 10 };

export function printResults(measurements: readonly Measurement[]): void {
  console.log('\nMiB of the relay before readers stop, while they stand, and after all has arrived; of one stalled circuit; MB/s of a healthy one');
  console.log('>: the relay took all that there was to send, and would have taken more; pushed: also into muxers and sockets of both ends');
  printRows([HEAD, ...measurements.map(rowOf)]);
  for (const one of measurements.filter(({ relay, circuits }) => relay === 'ours' && circuits >= TARGET.fromCircuits)) {
    const verdict = one.rssPerCircuitMiB <= TARGET.rssPerCircuitMiB ? 'met' : 'MISSED';
    console.log(`${verdict}: ${one.security}, ${one.circuits} stalled (${one.placement}): ${one.rssPerCircuitMiB.toFixed(2)} MiB each, at most ${TARGET.rssPerCircuitMiB} is wanted`);
  }
}

function rowOf(one: Measurement): string[] {
  const { rssMiB, bufferedMiB, megabytesPerSecond } = one;
  return [
    one.security,
    String(one.circuits),
    one.placement,
    one.relay,
    rssMiB.before.toFixed(0),
    rssMiB.stalled.toFixed(0),
    rssMiB.after.toFixed(0),
    one.rssPerCircuitMiB.toFixed(2),
    `${one.unbounded ? '> ' : ''}${one.pushedPerCircuitMiB.toFixed(2)}`,
    bufferedMiB === undefined ? '-' : (bufferedMiB.stalled / one.circuits).toFixed(3),
    bufferedMiB === undefined ? '-' : bufferedMiB.after.toFixed(3),
    megabytesPerSecond.before.toFixed(0),
    megabytesPerSecond.stalled.toFixed(0),
  ];
}
