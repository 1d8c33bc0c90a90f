import type { Quota } from './relay-cluster.ts';

/** How long the day or month of UTC that it is now still goes on, in milliseconds. */
export function msUntilWindowEnd(per: Quota['per'], wallMs: number): number {
  const now = new Date(wallMs);
  const [year, month] = [now.getUTCFullYear(), now.getUTCMonth()];
  return (per === 'd' ? Date.UTC(year, month, now.getUTCDate() + 1) : Date.UTC(year, month + 1)) - wallMs;
}
