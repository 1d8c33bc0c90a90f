const DAY_MS = 24 * 3_600_000;

/** Usage is kept for a day after its window's end: a relay whose clock is behind still counts in it. */
const KEEP_MS = DAY_MS;

/** When a window (`2026-11-21` or `2026-11`, UTC) need not be remembered any more: Unix milliseconds; `undefined` when it is no window. */
export function forgetWindowAt(window: string): number | undefined {
  const match = /^(\d{4})-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?$/.exec(window);
  if (match === null) return undefined;
  const [year, month, day] = match.slice(1).map((text) => (text === undefined ? undefined : Number(text)));
  const end = day === undefined ? Date.UTC(year ?? 0, month ?? 0, 1) : Date.UTC(year ?? 0, (month ?? 1) - 1, day + 1);
  return end + KEEP_MS;
}
