import { percentile } from '../../bench/support/report.ts';

/** At most so much, for all of the values or a part of them; `min`: no value may be below. */
export interface Bound {
  readonly p50?: number;
  readonly p99?: number;
  readonly max?: number;
  readonly min?: number;
}

export type Unit = 'ms' | 's' | 'MiB' | '%' | 'count' | 'KiB/1000';

/** What one row of the table counts: values of one kind, and what failed. */
export class Figure {
  readonly title: string;
  readonly unit: Unit;
  readonly bound: Bound;
  readonly values: number[] = [];
  /** Each says what happened. Nothing that fails is left out of the table. */
  readonly failures: string[] = [];
  runs = 0;

  constructor(title: string, unit: Unit, bound: Bound) {
    this.title = title;
    this.unit = unit;
    this.bound = bound;
  }

  add(value: number): void {
    this.values.push(value);
  }

  fail(what: string): void {
    this.failures.push(what);
  }

  get p50(): number {
    return percentile(this.values, 50);
  }

  get p99(): number {
    return percentile(this.values, 99);
  }

  get max(): number {
    return percentile(this.values, 100);
  }

  /** What is missed, with every bound made `slack` times as wide; empty when all is met. Nothing measured is nothing shown. */
  missed(slack = 1): string[] {
    const { p50, p99, max, min } = this.bound;
    const over = (name: string, value: number, bound: number | undefined): string[] => (bound !== undefined && !(value <= bound * slack) ? [`${name} ${round(value)} > ${bound * slack} ${this.unit}`] : []);
    return [
      ...(this.failures.length > 0 ? [`${this.failures.length} failed: ${this.failures[0]}`] : []),
      ...(this.values.length === 0 ? ['nothing was measured'] : []),
      ...over('p50', this.p50, p50),
      ...over('p99', this.p99, p99),
      ...over('max', this.max, max),
      ...(min !== undefined && !(Math.min(...this.values) >= min / slack) ? [`least ${round(Math.min(...this.values))} < ${min} ${this.unit}`] : []),
    ];
  }

  get boundText(): string {
    const { min, ...most } = this.bound;
    const parts = Object.entries(most).map(([name, value]) => `${name} <= ${value}`);
    return [...parts, ...(min === undefined ? [] : [`all >= ${min}`])].join(', ') || 'no failure';
  }

  toJSON(): WrittenFigure {
    const { title, unit, runs, boundText, failures } = this;
    const values = this.values.map(round);
    return { title, unit, runs, count: values.length, p50: round(this.p50), p99: round(this.p99), max: round(this.max), bound: boundText, missed: this.missed(), failures, values };
  }
}

/** As the file has it; what was not measured is null there. */
export interface WrittenFigure {
  readonly title: string;
  readonly unit: Unit;
  readonly runs: number;
  readonly count: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly bound: string;
  readonly missed: readonly string[];
  readonly failures: readonly string[];
  readonly values: readonly number[];
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
