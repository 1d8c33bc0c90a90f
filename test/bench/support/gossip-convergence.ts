import { percentile } from './report.ts';

/** How soon a relay opened a circuit to a peer that had reserved at another one; milliseconds. */
interface Known {
  readonly afterMs: number;
  /** How much sooner it may have known: since it was asked for the last time and did not. */
  readonly withinMs: number;
}

/** What `load converge` answers. */
export interface LoadReport {
  readonly count: number;
  readonly seconds: number;
  /** Of RESERVE. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: Readonly<Record<string, number>>;
  readonly lost: number;
  /** Of some reservations, one other relay each. */
  readonly one: readonly Known[];
  /** Of some, all other relays. */
  readonly all: readonly (readonly Known[])[];
}

export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Convergence {
  /** One other relay. */
  readonly one: Spread;
  /** The slowest of all others. */
  readonly all: Spread;
  /** Of each answer that counts. */
  readonly within: Spread;
  readonly lost: number;
  /** Reservations and circuits that were refused. */
  readonly failed: number;
}

export function failedOf({ failed }: LoadReport): number {
  return Object.values(failed).reduce((sum, times) => sum + times, 0);
}

export function convergenceOf(report: LoadReport): Convergence {
  const { one, all, lost } = report;
  const slowest = all.flatMap((known) => known.toSorted((a, b) => b.afterMs - a.afterMs).slice(0, 1));
  return { one: spread(one.map(({ afterMs }) => afterMs)), all: spread(slowest.map(({ afterMs }) => afterMs)), within: spread([...one, ...slowest].map(({ withinMs }) => withinMs)), lost, failed: failedOf(report) };
}

function spread(ms: readonly number[]): Spread {
  return { count: ms.length, p50: percentile(ms, 50), p99: percentile(ms, 99), max: Math.max(...ms) };
}
