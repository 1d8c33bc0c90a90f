import type { Outcome } from './events.ts';

/** What `scripts/test` prints: a line for each file or check, failures in full, and at the end the sums. */

/** One test, or one check. */
export interface Result {
  name: string;
  outcome: Outcome;
  durationMs: number;
  /** Why it was skipped. */
  reason?: string;
  /** Why it failed, in full. */
  detail?: string;
}

/** A test file, or a check, after it ran. */
export interface Report {
  title: string;
  results: Result[];
  durationMs: number;
  /** What it printed; shown only when something failed. */
  output: string;
}

export interface Sums {
  passed: number;
  failed: number;
  skipped: number;
}

const SLOWEST_SHOWN = 5;
/** Tests faster than this are not worth a line among the slowest. */
const SLOW_MS = 1000;
const OUTPUT_LINES_SHOWN = 80;

export class Reporter {
  readonly #reports: Report[] = [];
  readonly #print: (text: string) => void;

  constructor(print: (text: string) => void = (text) => console.log(text)) {
    this.#print = print;
  }

  add(report: Report): void {
    this.#reports.push(report);
    const failed = report.results.filter((result) => result.outcome === 'failed');
    this.#print(`${failed.length === 0 ? 'ok  ' : 'FAIL'} ${report.title}: ${sumsText(sumsOf(report.results))} (${seconds(report.durationMs)})`);
    for (const result of failed) {
      this.#print(indent(`${result.name}\n${indent(result.detail ?? 'no reason was given')}`));
    }
    if (failed.length > 0 && report.output.trim() !== '') {
      this.#print(indent(`its output:\n${indent(lastLines(report.output.trimEnd(), OUTPUT_LINES_SHOWN))}`));
    }
  }

  /** Prints what a reader looks for at the end; the last line is the sums alone. */
  finish(): Sums {
    const all = this.#reports.flatMap((report) => report.results.map((result) => ({ ...result, title: report.title })));
    this.#list('slowest', all.filter((result) => result.durationMs >= SLOW_MS).toSorted((a, b) => b.durationMs - a.durationMs).slice(0, SLOWEST_SHOWN), (result) => `${seconds(result.durationMs)}  ${result.title}: ${result.name}`);
    this.#list('skipped', skipsByReason(all), ([reason, names]) => `${names.length} because ${reason}: ${names.join('; ')}`);
    this.#list('failed', all.filter((result) => result.outcome === 'failed'), (result) => `${result.title}: ${result.name}`);
    const sums = sumsOf(all);
    this.#print(`\n${sumsText(sums)}`);
    return sums;
  }

  #list<T>(heading: string, items: readonly T[], line: (item: T) => string): void {
    if (items.length > 0) {
      this.#print(`\n${heading}:\n${items.map((item) => indent(line(item))).join('\n')}`);
    }
  }
}

function skipsByReason(results: readonly Result[]): [string, string[]][] {
  const skipped = results.filter((result) => result.outcome === 'skipped');
  return [...Map.groupBy(skipped, (result) => result.reason ?? 'no reason given')].map(([reason, group]) => [reason, group.map((result) => result.name)]);
}

function sumsOf(results: readonly Result[]): Sums {
  const count = (outcome: Outcome): number => results.filter((result) => result.outcome === outcome).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

function sumsText(sums: Sums): string {
  return `${sums.passed} passed, ${sums.failed} failed${sums.skipped > 0 ? `, ${sums.skipped} skipped` : ''}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ');
}

function lastLines(text: string, count: number): string {
  const lines = text.split('\n');
  return lines.length <= count ? text : [`(${lines.length - count} lines before these)`, ...lines.slice(-count)].join('\n');
}
