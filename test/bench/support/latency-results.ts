import type { Measurement, RoundTrips } from './latency-measurement.ts';
import type { Case } from './latency-plan.ts';
import type { RelayName } from './relays.ts';
import { percentile } from './report.ts';
import { printRows } from './rows.ts';

/** Many measurements made into one figure each: the median over the rounds. */

export type Times = Omit<RoundTrips, 'count'>;

export interface Figures {
  readonly relayed: Times;
  readonly direct: Times;
  readonly bulkMegabytesPerSecond: number;
  readonly relayCpuShare: number;
  readonly relayWaitShare: number;
  readonly othersShare: number;
}

export interface Result extends Case {
  readonly bytes: number;
  readonly relays: Readonly<Partial<Record<RelayName, Figures>>>;
}

/** In the order in which they were measured first. */
export function resultsOf(measurements: readonly Measurement[]): Result[] {
  const cases = Map.groupBy(measurements, ({ security, placement, bulk, bytes }) => `${security} ${placement} ${bulk} ${bytes}`);
  return [...cases.values()].map((ofCase) => {
    const [{ security, placement, bulk, bytes }] = ofCase as [Measurement];
    const relays = Object.fromEntries([...Map.groupBy(ofCase, ({ relay }) => relay)].map(([relay, rounds]) => [relay, figuresOf(rounds)]));
    return { security, placement, bulk, bytes, relays };
  });
}

function figuresOf(rounds: readonly Measurement[]): Figures {
  const median = (key: Exclude<keyof Figures, 'relayed' | 'direct'>): number => percentile(rounds.map((one) => one[key]), 50);
  return {
    relayed: timesOf(rounds.map(({ relayed }) => relayed)),
    direct: timesOf(rounds.map(({ direct }) => direct)),
    bulkMegabytesPerSecond: median('bulkMegabytesPerSecond'),
    relayCpuShare: median('relayCpuShare'),
    relayWaitShare: median('relayWaitShare'),
    othersShare: median('othersShare'),
  };
}

function timesOf(rounds: readonly Times[]): Times {
  const median = (key: keyof Times): number => percentile(rounds.map((one) => one[key]), 50);
  return { p50Us: median('p50Us'), p99Us: median('p99Us'), maxUs: median('maxUs') };
}

export function printResults(results: readonly Result[]): void {
  const names = [...new Set(results.flatMap(({ relays }) => Object.keys(relays) as RelayName[]))];
  console.log('\nmicroseconds of a round trip through each relay: p50 | p99 | max (p50 | p99 of one without a relay, by the same process in the same seconds) MB/s of the bulk');
  console.log(`?: other processes used more than ${DISTURBED * 100} % of the machine, which makes the relay wait for a core`);
  printRows([['security', 'bulk', 'connections', 'ping', ...names], ...results.map((result) => [...labels(result), ...names.map((name) => cell(result.relays[name]))])]);
  printTarget(results);
}

function labels({ security, placement, bulk, bytes }: Result): string[] {
  return [security, String(bulk), placement === 'idle' ? '-' : placement, `${bytes} B`];
}

/** Less is the benchmark's own reading, and the kernel's housekeeping. */
const DISTURBED = 0.1;

function cell(figures: Figures | undefined): string {
  if (figures === undefined) return '-';
  const { relayed, direct, bulkMegabytesPerSecond, othersShare } = figures;
  const bulk = bulkMegabytesPerSecond === 0 ? '' : bulkMegabytesPerSecond.toFixed(0);
  const doubt = othersShare > DISTURBED ? '?' : '';
  return `${doubt}${times([relayed.p50Us, relayed.p99Us, relayed.maxUs])} (${times([direct.p50Us, direct.p99Us])}) ${bulk.padStart(4)}`;
}

function times(us: readonly number[]): string {
  return us.map((value) => value.toFixed(0).padStart(6)).join(' | ');
}

/** Other people's bulk may not make a circuit of one's own useless. */
const TARGET = { bulk: 8, p99Us: 20_000 };

function printTarget(results: readonly Result[]): void {
  for (const { security, placement, bulk, bytes, relays } of results) {
    if (bulk !== TARGET.bulk || relays.ours === undefined) continue;
    const { p99Us } = relays.ours.relayed;
    const verdict = p99Us <= TARGET.p99Us ? 'met' : 'MISSED';
    console.log(`${verdict}: ${security}, ${bytes} B beside ${bulk} bulk circuits (${placement}): p99 ${(p99Us / 1000).toFixed(1)} ms, at most ${TARGET.p99Us / 1000} ms are wanted`);
  }
}
