import type { Measurement } from './relay-measurement.ts';
import type { Case } from './relay-plan.ts';
import type { RelayName } from './relays.ts';
import { percentile } from './report.ts';
import { printRows } from './rows.ts';

/** Many measurements made into one figure each: the median over the rounds. */

export interface Figures {
  readonly cpuSecondsPerGB: number;
  readonly megabytesPerSecond: number;
  readonly peakRssMiB: number;
  readonly loadCpuSecondsPerGB: number;
  readonly othersShare: number;
  /** The least and the most of the rounds: differences within it mean nothing. */
  readonly cpuSecondsPerGBRange: readonly [number, number];
}

export interface Result extends Case {
  readonly relays: Readonly<Partial<Record<RelayName, Figures>>>;
}

/** In the order in which they were measured first. */
export function resultsOf(measurements: readonly Measurement[]): Result[] {
  const cases = Map.groupBy(measurements, ({ security, circuits, writeBytes }) => `${security} ${circuits} ${writeBytes}`);
  return [...cases.values()].map((ofCase) => {
    const [{ security, circuits, writeBytes }] = ofCase as [Measurement];
    const relays = Object.fromEntries([...Map.groupBy(ofCase, ({ relay }) => relay)].map(([relay, rounds]) => [relay, figuresOf(rounds)]));
    return { security, circuits, writeBytes, relays };
  });
}

type MedianKey = Exclude<keyof Figures, 'cpuSecondsPerGBRange'>;

function figuresOf(rounds: readonly Measurement[]): Figures {
  const median = (key: MedianKey): number => percentile(rounds.map((one) => one[key]), 50);
  const cpu = rounds.map(({ cpuSecondsPerGB }) => cpuSecondsPerGB);
  return {
    cpuSecondsPerGB: median('cpuSecondsPerGB'),
    megabytesPerSecond: median('megabytesPerSecond'),
    peakRssMiB: median('peakRssMiB'),
    loadCpuSecondsPerGB: median('loadCpuSecondsPerGB'),
    othersShare: median('othersShare'),
    cpuSecondsPerGBRange: [Math.min(...cpu), Math.max(...cpu)],
  };
}

export function printResults(results: readonly Result[]): void {
  const names = [...new Set(results.flatMap(({ relays }) => Object.keys(relays) as RelayName[]))];
  const rows = results.map((result) => [...labels(result), ...names.map((name) => cell(result.relays[name])), ratio(result)]);
  console.log('\nof each relay: CPU-s/GB | MB/s | peak RSS in MiB; ratio: CPU of ours to that of the best other; *: the load used more CPU than the relay');
  console.log(`?: other processes used more than ${DISTURBED * 100} % of the machine, which makes a relay dearer`);
  printRows([['security', 'circuits', 'write', ...names, 'ratio'], ...rows]);
}

function labels({ security, circuits, writeBytes }: Case): string[] {
  return [security, String(circuits), String(writeBytes)];
}

/** Less is the benchmark's own reading, and the kernel's housekeeping. */
const DISTURBED = 0.1;

function cell(figures: Figures | undefined): string {
  if (figures === undefined) return '-';
  const mark = figures.loadCpuSecondsPerGB > figures.cpuSecondsPerGB ? '*' : '';
  const doubt = figures.othersShare > DISTURBED ? '?' : '';
  return [`${doubt}${mark}${figures.cpuSecondsPerGB.toFixed(2)}`.padStart(7), figures.megabytesPerSecond.toFixed(0).padStart(4), figures.peakRssMiB.toFixed(0).padStart(4)].join(' | ');
}

function ratio({ relays }: Result): string {
  const { ours, ...others } = relays;
  const best = Math.min(...Object.values(others).map(({ cpuSecondsPerGB }) => cpuSecondsPerGB));
  return ours === undefined || best === Infinity ? '-' : (ours.cpuSecondsPerGB / best).toFixed(2);
}
