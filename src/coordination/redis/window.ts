/** What was used in a window may still be asked for and reported while clocks differ; nobody asks a day later. */
const KEPT_MS = 86_400_000;

/** When the use of a window (`2026-11-21` or `2026-11`) may be forgotten, in Unix milliseconds. */
export function forgettableAt(window: string): number {
  const [year = 0, month = 1, day] = window.split('-').map(Number);
  // The month counts from 0 in Date.UTC, and the next one or the next day is what ends the window.
  return (day === undefined ? Date.UTC(year, month) : Date.UTC(year, month - 1, day + 1)) + KEPT_MS;
}
