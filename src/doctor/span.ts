const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A time between two clocks, for people: of two units the one that says it without a fraction. */
export function spanInWords(ms: number): string {
  if (ms < 2 * MINUTE_MS) {
    return `${Math.round(ms / 1000)} seconds`;
  }
  if (ms < 2 * HOUR_MS) {
    return `${Math.round(ms / MINUTE_MS)} minutes`;
  }
  return ms < 2 * DAY_MS ? `${Math.round(ms / HOUR_MS)} hours` : `${Math.round(ms / DAY_MS)} days`;
}
