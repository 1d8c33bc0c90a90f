import { REQUESTS } from './admission-measurement.ts';
import type { Measurement } from './admission-measurement.ts';
import { printRows } from './rows.ts';

const HEAD = ['security', 'request', 'at once', 'relay', 'per second', 'per CPU-s', 'p50 ms', 'p99 ms', 'max ms'];

/** What is compared stands together. */
export function printResults(measurements: readonly Measurement[]): void {
  const groups = Map.groupBy(measurements, ({ security, request, parallel }) => `${security} ${request} ${parallel}`);
  console.log('\nrequests per second, per CPU-second of the relay (all its threads), and how long one takes');
  printRows([HEAD, ...[...groups.values()].flatMap((group) => group.map(rowOf))]);
}

function rowOf(one: Measurement): string[] {
  return [one.security, REQUESTS[one.request], String(one.parallel), one.relay, one.perSecond.toFixed(0), one.perCpuSecond.toFixed(0), one.p50Ms.toFixed(2), one.p99Ms.toFixed(2), one.maxMs.toFixed(2)];
}
