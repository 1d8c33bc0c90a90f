import type { Quota } from '../lib/cluster/relay-cluster.ts';
import type { Rate } from '../lib/token-bucket.ts';
import { bad, good, shown } from './parsed.ts';
import type { Parsed } from './parsed.ts';
import { formatBandwidth, formatDuration, formatQuota, formatRate, formatSize, parseBandwidth, parseDuration, parseQuota, parseRate, parseSize } from './units.ts';
import { scalar } from './value-type.ts';
import type { Scalar, ValueType } from './value-type.ts';

/** Numbers: counts, and amounts with a unit. */

const UNLIMITED = 'unlimited';

/** Absurd numbers are typing errors; nothing in the program is meant for more. */
const MAX_COUNT = 10_000_000;

export interface Range {
  min?: number;
  max?: number;
  /** `unlimited` is allowed, and is `Infinity` in the program. */
  unlimited?: boolean;
}

/** A whole number of things. */
export function count({ min = 1, max = MAX_COUNT, unlimited = false }: Range = {}): ValueType<number> {
  const form = `a whole number${unlimited ? ' or unlimited' : ''}`;
  const parse = (input: unknown): Parsed<number> => (Number.isSafeInteger(input) ? good(input as number) : bad(`${shown(input)} is not a whole number`, form));
  const json = { type: 'integer', minimum: min, maximum: max };
  return limited('number', { parse, format: (value) => value, json, example: 128 }, { min, max, unlimited });
}

export function duration(range: Range = {}): ValueType<number, 'Ms'> {
  const json = { type: 'string', pattern: '^[0-9]+(ms|s|m|h|d)$' };
  return { ...limited('duration', { parse: parseDuration, format: formatDuration, json, example: 60_000 }, range), suffix: 'Ms' };
}

/** A share of a whole. */
export function ratio(): ValueType<number> {
  const parse = (input: unknown): Parsed<number> => (typeof input === 'number' && input >= 0 && input <= 1 ? good(input) : bad(`${shown(input)} is not a share`, 'a number from 0 to 1, such as 0.1'));
  return scalar('share, 0 to 1', { parse, format: (value) => value, json: { type: 'number', minimum: 0, maximum: 1 } });
}

/** Bytes. */
export function size(range: Range = {}): ValueType<number> {
  return limited('size', { parse: parseSize, format: formatSize, json: { type: 'string', pattern: '^[0-9]+(B|KiB|MiB|GiB|TiB)$' }, example: 2 ** 20 }, range);
}

/** Bytes per second. */
export function bandwidth(range: Range = {}): ValueType<number> {
  const json = { type: 'string', pattern: '^[0-9]+(B|KiB|MiB|GiB|TiB)/s$' };
  return limited('bytes per second', { parse: parseBandwidth, format: formatBandwidth, json, example: 2 ** 20 }, range);
}

/** A rate, or `unlimited`, which is `undefined` in the program. */
export function rate(): ValueType<Rate | undefined> {
  return orNone('rate', { parse: parseRate, format: formatRate, pattern: '[1-9][0-9]*/(s|m|h|d)' });
}

/** Bytes in a day or a month, or `unlimited`, which is `undefined` in the program. */
export function quota(): ValueType<Quota | undefined> {
  return orNone('quota', { parse: parseQuota, format: formatQuota, pattern: '[1-9][0-9]*(B|KiB|MiB|GiB|TiB)/(d|month)' });
}

function orNone<T>(label: string, { parse, format, pattern }: { parse: (input: unknown) => Parsed<T>; format: (value: T) => string; pattern: string }): ValueType<T | undefined> {
  return scalar<T | undefined>(`${label}, or unlimited`, {
    parse: (input) => (input === UNLIMITED ? good(undefined) : parse(input)),
    format: (value) => (value === undefined ? UNLIMITED : format(value)),
    json: { type: 'string', pattern: `^(${pattern}|unlimited)$` },
  });
}

/** Adds the range and `unlimited` to a kind of number. */
function limited(label: string, base: Scalar<number> & { example: number }, { min = 0, max = Infinity, unlimited = false }: Range): ValueType<number> {
  const show = (value: number): string => String(base.format(value));
  const parse = (input: unknown): Parsed<number> => {
    if (input === UNLIMITED) {
      return unlimited ? good(Infinity) : bad('this limit cannot be off', `a ${label}, such as ${show(Math.max(min, base.example))}`);
    }
    const parsed = base.parse(input);
    const zero = parsed.ok && parsed.value === 0 && unlimited ? ', or unlimited for no limit' : '';
    if (parsed.ok && parsed.value < min) {
      return bad(`${show(parsed.value)} is too small`, `at least ${show(min)}${zero}`);
    }
    return parsed.ok && parsed.value > max ? bad(`${show(parsed.value)} is too large`, `at most ${show(max)}`) : parsed;
  };
  const format = (value: number): unknown => (value === Infinity ? UNLIMITED : base.format(value));
  const json = unlimited ? { anyOf: [base.json, { const: UNLIMITED }] } : base.json;
  return scalar(`${label}${rangeLabel(min, max, show)}${unlimited ? ', or unlimited' : ''}`, { parse, format, json });
}

function rangeLabel(min: number, max: number, show: (value: number) => string): string {
  if (max === Infinity || max === MAX_COUNT) {
    return min <= 1 ? '' : `, ${show(min)} or more`;
  }
  return min === 0 ? `, up to ${show(max)}` : `, ${show(min)} to ${show(max)}`;
}
