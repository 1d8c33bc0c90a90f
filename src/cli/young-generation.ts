import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * Both halves together. In Node 24 they grow to 128 MiB; almost all that a new reservation makes survives, so one collection then copies tens of
 * megabytes while every circuit waits. At 8 MiB it waits a tenth of that, the process is smaller, and all collections together cost little more.
 */
const WANTED_BYTES = 8 << 20;

/**
 * Holds V8's young generation at about {@link WANTED_BYTES} while the daemon runs. V8 takes a limit (--max-semi-space-size) only on the command line,
 * where it goes before this; in a running program it takes the factor of growth, which it applies after a collection. At rest it shrinks by itself, so
 * the factor is looked at again each time.
 *
 * @returns what ends it
 */
export function holdYoungGeneration(): () => void {
  if ([...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) => /semi[-_]space/.test(text))) {
    return () => {};
  }
  const adjust = (): void => letGrow(youngBytes() < WANTED_BYTES);
  const collections = new PerformanceObserver(adjust);
  collections.observe({ entryTypes: ['gc'] });
  adjust();
  return () => {
    collections.disconnect();
    letGrow(true);
  };
}

export function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}

/** V8's own factor is 2. */
function letGrow(may: boolean): void {
  setFlagsFromString(`--semi-space-growth-factor=${may ? 2 : 1}`);
}
