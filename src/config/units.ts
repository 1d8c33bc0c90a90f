import type { Quota } from '../lib/cluster/relay-cluster.ts';
import type { Rate } from '../lib/token-bucket.ts';
import { bad, good, shown } from './parsed.ts';
import type { Parsed } from './parsed.ts';

/**
 * Numbers with units, as a person writes them: durations `500ms 90s 2m 1h 30d`, sizes `512B 64KiB 1MiB 1GiB`,
 * bandwidths `10MiB/s` (bytes), rates `10/s 30/m 30/h 1000/d`, quotas `10GiB/d 1TiB/month`. `format…` writes what `parse…` reads.
 */

const DURATION_UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const SIZE_UNITS = { TiB: 2 ** 40, GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10, B: 1 };
const RATE_UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What is added to a number that came without its unit. */
const ADD_UNIT = (example: string): string => `add a unit, such as ${example}`;

const DURATION_FORM = 'a whole number and one unit (ms, s, m, h or d), such as 2m';
const SIZE_FORM = 'a whole number and one unit (B, KiB, MiB or GiB), such as 128KiB';
const BANDWIDTH_FORM = 'bytes per second, such as 10MiB/s';
const QUOTA_FORM = 'bytes a day or month, such as 10GiB/d or 1TiB/month';
const RATE_FORM = 'a whole number per s, m, h or d, such as 30/m';

/** Milliseconds. */
export function parseDuration(input: unknown): Parsed<number> {
  return isBareNumber(input) ? bad(`${input} has no unit`, ADD_UNIT('2m')) : amount(input, DURATION_UNITS, 'a duration', DURATION_FORM);
}

/** @param ms a whole number of milliseconds */
export function formatDuration(ms: number): string {
  return formatAmount(ms, DURATION_UNITS, 's');
}

/** Bytes. */
export function parseSize(input: unknown): Parsed<number> {
  return isBareNumber(input) ? bad(`${input} has no unit`, ADD_UNIT('128KiB')) : amount(input, SIZE_UNITS, 'a size', SIZE_FORM);
}

export function formatSize(bytes: number): string {
  return formatAmount(bytes, SIZE_UNITS, 'B');
}

/** Bytes per second. */
export function parseBandwidth(input: unknown): Parsed<number> {
  if (isBareNumber(input)) {
    return bad(`${input} has no unit`, ADD_UNIT('10MiB/s'));
  }
  if (typeof input === 'string' && !input.endsWith('/s') && parseSize(input).ok) {
    return bad(`${shown(input)} is a size, not a bandwidth`, `${input}/s`);
  }
  const size = typeof input === 'string' && input.endsWith('/s') ? parseSize(input.slice(0, -2)) : undefined;
  return size?.ok === true ? size : bad(`${shown(input)} is not a bandwidth`, BANDWIDTH_FORM);
}

export function formatBandwidth(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`;
}

export function parseRate(input: unknown): Parsed<Rate> {
  if (isBareNumber(input)) {
    return bad(`${input} has no unit`, ADD_UNIT('30/m'));
  }
  const match = typeof input === 'string' ? /^(\d+)\/(s|m|h|d)$/.exec(input) : null;
  const count = Number(match?.[1] ?? Number.NaN);
  if (match === null || !Number.isSafeInteger(count)) {
    return bad(`${shown(input)} is not a rate`, RATE_FORM);
  }
  return count === 0 ? bad('a rate of 0 lets nothing through', 'at least 1, such as 1/d') : good({ count, perMs: RATE_UNITS[match[2] as keyof typeof RATE_UNITS] });
}

export function formatRate(rate: Rate): string {
  const unit = Object.entries(RATE_UNITS).find(([, ms]) => ms === rate.perMs)?.[0];
  return `${rate.count}/${unit ?? `${rate.perMs}ms`}`;
}

export function parseQuota(input: unknown): Parsed<Quota> {
  const match = typeof input === 'string' ? /^(.*)\/(d|month)$/.exec(input) : null;
  const size = parseSize(match?.[1]);
  if (match === null || !size.ok) {
    const sized = parseSize(input);
    return sized.ok ? bad(`${shown(input)} does not say in which time`, `${String(input)}/d or ${String(input)}/month`) : bad(`${shown(input)} is not a quota`, QUOTA_FORM);
  }
  return size.value === 0 ? bad('a quota of 0 lets nothing through', 'at least 1B/d') : good({ bytes: size.value, per: match[2] as Quota['per'] });
}

export function formatQuota({ bytes, per }: Quota): string {
  return `${formatSize(bytes)}/${per}`;
}

function isBareNumber(input: unknown): input is number | string {
  return typeof input === 'number' || (typeof input === 'string' && /^\d+(\.\d+)?$/.test(input));
}

function amount(input: unknown, units: Record<string, number>, what: string, form: string): Parsed<number> {
  const match = typeof input === 'string' ? /^(\d+)([A-Za-z]+)$/.exec(input) : null;
  const unit = match?.[2] ?? '';
  if (match === null || !Object.hasOwn(units, unit)) {
    return bad(`${shown(input)} is not ${what}`, form);
  }
  const value = Number(match[1]) * (units[unit] ?? 1);
  return Number.isSafeInteger(value) ? good(value) : bad(`${shown(input)} is too large`, `less than ${formatAmount(Number.MAX_SAFE_INTEGER, units, unit)}`);
}

/** In the largest unit that leaves a whole number. */
function formatAmount(value: number, units: Record<string, number>, zeroUnit: string): string {
  const fitting = Object.entries(units).find(([, size]) => value !== 0 && value % size === 0);
  return fitting === undefined ? `${value}${zeroUnit}` : `${value / fitting[1]}${fitting[0]}`;
}
