import { LOAD, RUST_PEER, built } from './programs.ts';
import type { RelayName } from './relays.ts';

/** What every benchmark that compares relays does around its measurements. */

/** What cannot be built here is left out, and said. */
export async function usable(names: readonly RelayName[]): Promise<RelayName[]> {
  await built(LOAD);
  const problem = names.includes('rust') ? await built(RUST_PEER).then(() => undefined, (error: Error) => error.message) : undefined;
  if (problem === undefined) return [...names];
  console.error(`without rust: ${problem}`);
  return names.filter((name) => name !== 'rust');
}

/** One failure ends neither the rest nor in silence. */
export async function attempt<T>(label: string, measure: () => Promise<T>): Promise<T[]> {
  try {
    return [await measure()];
  } catch (error) {
    process.exitCode = 1;
    console.error(`FAILED  ${label}: ${(error as Error).message}`);
    return [];
  }
}

/** Whoever comes first in one round does not in the next: what the machine does meanwhile hits all alike. */
export function rotated<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
