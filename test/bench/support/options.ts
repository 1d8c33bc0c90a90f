import { RELAY_NAMES } from './relays.ts';
import type { RelayName, Security } from './relays.ts';

/** What the benchmarks' options have in common. */

/** Relays that are compared, and how. */
export interface Comparison {
  readonly relays: readonly RelayName[];
  readonly securities: readonly Security[];
  /** As the kernel has it, at most 0. */
  readonly nice: number;
  readonly plot: boolean;
}

/** For parseArgs, beside a benchmark's own. */
export const COMPARISON_OPTIONS = {
  security: { type: 'string', default: 'noise,tls' },
  raise: { type: 'string', default: '0' },
  plot: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Of the usage: the first lines, and the last. */
export const comparisonUsage = (defaultRelays: string): string => `  --relays A,B        of ${RELAY_NAMES.join(', ')} (${defaultRelays})
  --security A,B      of noise, tls (both)`;
export const lastUsage = (name: string): string => `  --raise N           gives the relay and the load this much more priority than others have (0, at most 20; root only): for a busy machine
  --plot              writes docs/performance/${name}.svg`;

/** @throws Error that says what is wrong */
export function comparisonOf(values: { relays: string; security: string; raise: string; plot: boolean }): Comparison {
  return {
    relays: names('relays', values.relays, RELAY_NAMES),
    securities: names<Security>('security', values.security, ['noise', 'tls']),
    nice: niceOf('raise', values.raise),
    plot: values.plot,
  };
}

/** @throws Error unless all are whole numbers above 0 */
export function numbers(option: string, text: string): number[] {
  const list = text.split(',').map(Number);
  if (!list.every((value) => Number.isInteger(value) && value > 0)) {
    throw new Error(`--${option} ${text}: whole numbers above 0 are wanted`);
  }
  return list;
}

/** @throws Error unless it is a single whole number above 0 */
export function number(option: string, text: string): number {
  const [value, ...more] = numbers(option, text);
  if (value === undefined || more.length > 0) throw new Error(`--${option} ${text}: one number is wanted`);
  return value;
}

/** `--raise N` as the kernel has it. @throws Error beyond what it knows */
export function niceOf(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 20) throw new Error(`--${option} ${text}: a whole number from 0 to 20 is wanted`);
  return 0 - value;
}

/** @throws Error when one of them is not known */
export function names<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  const list = text.split(',');
  const unknown = list.find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new Error(`--${option}: no ${unknown}; there are ${known.join(', ')}`);
  }
  return list as T[];
}

/** @returns nothing when there is nothing to measure, and that is said */
export function planOrUsage<T>(planOf: (args: readonly string[]) => T | undefined, usage: string): T | undefined {
  try {
    const plan = planOf(process.argv.slice(2));
    if (plan === undefined) console.log(usage);
    return plan;
  } catch (error) {
    process.exitCode = 64;
    console.error(`${(error as Error).message}\n\n${usage}`);
    return undefined;
  }
}
