import type { Columns } from '../history.ts';
import type { Tick } from '../sampling.ts';

/** The same names as the server's, or a limit that has refused something. */
type Values = Record<string, (number | null)[]>;

/** A gap of more than this many steps is filled from the server's history. */
const MAX_GAP_STEPS = 2.5;

/** What the plots draw: the server's history, and each step since it was read. */
export class Track {
  times: number[] = [];
  values: Values = {};
  refusals: Record<string, number[]> = {};
  stepSeconds = 0;
  readonly #keepSeconds: number;

  constructor(columns: Columns, keepSeconds: number) {
    this.times = columns.times;
    this.values = columns.values;
    this.refusals = columns.refusals;
    this.stepSeconds = columns.stepSeconds;
    this.#keepSeconds = keepSeconds;
  }

  /** `false` when it does not follow what is there: the history must be read again. */
  add({ time, values, refusals }: Tick): boolean {
    const seconds = time / 1000;
    const last = this.times.at(-1) ?? -Infinity;
    if (seconds <= last) return true;
    if (seconds - last > this.stepSeconds * MAX_GAP_STEPS) return false;
    const length = this.times.push(seconds);
    extend(this.values, values, length, null);
    extend(this.refusals, refusals, length, 0);
    this.#trim(seconds - this.#keepSeconds);
    return true;
  }

  /** Refused in the last so many seconds, by all limits together. */
  refusedIn(seconds: number): number {
    const from = this.times.findIndex((time) => time > (this.times.at(-1) ?? 0) - seconds);
    return Object.values(this.refusals).reduce((sum, counts) => sum + counts.slice(from).reduce((a, b) => a + b, 0), 0);
  }

  #trim(from: number): void {
    const old = this.times.findIndex((time) => time >= from);
    if (old <= 0) return;
    for (const column of [this.times, ...Object.values(this.values), ...Object.values(this.refusals)]) column.splice(0, old);
  }
}

/** Every column gets the step's value, and a column that is new its empty past. */
function extend<T>(columns: Record<string, (number | T)[]>, values: Readonly<Record<string, number | null | undefined>>, length: number, none: T): void {
  for (const name of new Set([...Object.keys(columns), ...Object.keys(values)])) {
    const column = (columns[name] ??= Array.from({ length: length - 1 }, () => none));
    column.push((values[name] as number | undefined) ?? none);
  }
}
