/** How values read. What is not there is a dash, never "null". */

const NONE = '–';
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function text(value: unknown): string {
  return value === null || value === undefined || value === '' ? NONE : String(value);
}

export function number(value: unknown): string {
  return typeof value === 'number' ? value.toLocaleString('en') : NONE;
}

export function many(count: number, one: string): string {
  return `${number(count)} ${one}${count === 1 ? '' : 's'}`;
}

/** Three digits that count, and a unit that fits. */
export function bytes(value: unknown): string {
  if (typeof value !== 'number') return NONE;
  const power = value < 1024 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  const digits = power === 0 || scaled >= 100 ? 0 : 1;
  return `${scaled.toFixed(digits).replace(/\.0$/, '')} ${BYTE_UNITS[power]}`;
}

export function bytesPerSecond(value: unknown): string {
  return typeof value === 'number' ? `${bytes(value)}/s` : NONE;
}

export function milliseconds(value: unknown): string {
  if (typeof value !== 'number') return NONE;
  if (value >= 10_000) return duration(value);
  return `${value < 10 ? value.toFixed(1).replace(/\.0$/, '') : number(Math.round(value))} ms`;
}

/** How far another clock is from this one's; nothing but how wrong that may be where it is no more than that. */
export function clockOffset(aheadMs: unknown, errorMs: unknown): string {
  if (typeof aheadMs !== 'number' || typeof errorMs !== 'number') return NONE;
  const offMs = Math.abs(aheadMs);
  return offMs <= errorMs ? `± ${milliseconds(errorMs)}` : `${milliseconds(offMs)} ${aheadMs > 0 ? 'ahead' : 'behind'}`;
}

/** The two largest units: `3 h 12 min`. */
export function duration(ms: unknown): string {
  if (typeof ms !== 'number' || !Number.isFinite(ms)) return NONE;
  const seconds = Math.floor(ms / 1000);
  const parts = [[Math.floor(seconds / 86_400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'], [Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's']] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0 s';
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(' ');
}

/** @param time ISO 8601 */
export function since(time: unknown): string {
  return typeof time === 'string' ? duration(Math.max(0, Date.now() - Date.parse(time))) : NONE;
}

export function until(time: unknown): string {
  if (typeof time !== 'string') return NONE;
  const left = Date.parse(time) - Date.now();
  return left <= 0 ? 'now' : `in ${duration(left)}`;
}

export function percent(share: unknown): string {
  return typeof share === 'number' ? `${Math.round(share * 100)} %` : NONE;
}

/** A value of the configuration, in one line. */
export function configValue(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : value.map(configValue).join(', ');
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(([key, part]) => `${key}: ${configValue(part)}`).join(', ');
  return text(value);
}
