/** Values as a person reads them. Whatever is missing is a dash. */

const DASH = '-';
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Peer ids, in any of their encodings, wherever they stand in a text. */
const PEER_ID = /\b(12D3KooW[1-9A-HJ-NP-Za-km-z]{44}|16Uiu2HA[1-9A-HJ-NP-Za-km-z]{45,46}|Qm[1-9A-HJ-NP-Za-km-z]{44}|bafz[a-z2-7]{50,})\b/g;

export interface Style {
  /** Peer ids in full. */
  wide: boolean;
  /** Unix milliseconds: what "ago" and "in" are counted from. */
  now: number;
}

/** Three significant digits at most: `1.2 MiB`, `128 KiB`. */
export function bytes(value: unknown): string {
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    return DASH;
  }
  const power = value < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${power === 0 || scaled >= 100 ? Math.round(scaled) : scaled.toFixed(1).replace('.0', '')} ${UNITS[power]}`;
}

/** The two largest units: `2d 3h`, `5m 10s`, `850ms`. */
export function duration(ms: unknown): string {
  if (typeof ms !== 'number' || !Number.isFinite(ms)) {
    return DASH;
  }
  if (ms < SECOND) {
    return ms < 1 ? '0s' : `${Math.round(ms)}ms`;
  }
  const parts = [`${Math.floor(ms / DAY)}d`, `${Math.floor(ms / HOUR) % 24}h`, `${Math.floor(ms / MINUTE) % 60}m`, `${Math.floor(ms / SECOND) % 60}s`];
  const first = parts.findIndex((part) => !part.startsWith('0'));
  return parts.slice(first, first + 2).filter((part) => !part.startsWith('0')).join(' ');
}

/** A difference of clocks, and how wrong it may be: `+35s ±12ms`, `-2h 3m ±1ms`, `0s ±4ms`. */
export function offset(ms: unknown, errorMs: unknown): string {
  if (typeof ms !== 'number') {
    return DASH;
  }
  const size = duration(Math.abs(ms));
  return `${size === '0s' ? '' : ms < 0 ? '-' : '+'}${size} ±${duration(errorMs)}`;
}

/** A round trip: `0.42 ms`, `23.1 ms`, `312 ms`. */
export function millis(value: unknown): string {
  if (typeof value !== 'number') {
    return DASH;
  }
  const digits = value < 1 ? 2 : 1;
  return `${value >= 100 ? Math.round(value) : value.toFixed(digits)} ms`;
}

/** @param time ISO 8601 */
export function ago(time: unknown, { now }: Style): string {
  const at = parseTime(time);
  return at === undefined ? DASH : `${duration(now - at)} ago`;
}

/** @param time ISO 8601 */
export function age(time: unknown, { now }: Style): string {
  const at = parseTime(time);
  return at === undefined ? DASH : duration(now - at);
}

/** @param time ISO 8601 */
export function until(time: unknown, { now }: Style): string {
  const at = parseTime(time);
  if (at === undefined) {
    return DASH;
  }
  return at <= now ? 'now' : `in ${duration(at - now)}`;
}

function parseTime(time: unknown): number | undefined {
  const at = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

/** A part of a whole, 0 to 1: `0 %`, `87 %`. */
export function percent(value: unknown): string {
  return typeof value === 'number' ? `${Math.round(value * 100)} %` : DASH;
}

export function count(value: unknown): string {
  return typeof value === 'number' ? String(value) : DASH;
}

/** JSON has no infinity: a limit that is off is `null` there. */
export function outOf(value: unknown, max: unknown): string {
  return typeof max === 'number' ? `${count(value)} of at most ${max}` : `${count(value)} (no limit)`;
}

/** `1 circuit`, `2 circuits` */
export function plural(value: number, one: string): string {
  return `${value} ${one}${value === 1 ? '' : 's'}`;
}

/**
 * Text of the API, some of it written by peers: what would move the cursor or reorder the line becomes `?`.
 * Unless it is to be wide, peer ids keep their first four and last eight characters.
 */
export function text(value: unknown, { wide }: Pick<Style, 'wide'>): string {
  if (value === null || value === undefined || value === '') {
    return DASH;
  }
  // eslint-disable-next-line no-control-regex
  const clean = String(value).replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?');
  return wide ? clean : clean.replace(PEER_ID, (id) => `${id.slice(0, 4)}…${id.slice(-8)}`);
}
