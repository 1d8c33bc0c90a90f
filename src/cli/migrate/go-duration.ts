const UNIT_MS: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 1e-3, µs: 1e-3, ns: 1e-6 };
const NANOSECONDS_A_MS = 1e6;

/**
 * A duration of Go's in milliseconds: the number of nanoseconds, which is all that its JSON decoder takes, or the text that Go prints
 * (`1h30m0s`), which people wrote and found refused. `undefined` for anything else.
 */
export function goDurationMs(value: unknown): number | undefined {
  if (Number.isInteger(value)) {
    return Math.round((value as number) / NANOSECONDS_A_MS);
  }
  if (typeof value !== 'string' || !/^(\d+(\.\d+)?(h|ms|m|s|us|µs|ns))+$/.test(value)) {
    return undefined;
  }
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)];
  return Math.round(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ''] ?? 0), 0));
}
