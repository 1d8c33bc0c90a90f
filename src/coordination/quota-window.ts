import type { Quota } from '../lib/cluster/relay-cluster.ts';

/** A day or month of UTC. Relays whose clocks differ by seconds begin it by seconds apart: what they count in between is in the one or in the other. */
export interface QuotaWindow {
  /** `2026-11-21` or `2026-11`. */
  readonly name: string;
  /** Unix milliseconds; the end is the beginning of the next. */
  readonly beginsAt: number;
  readonly endsAt: number;
}

export function quotaWindow(per: Quota['per'], wallMs: number): QuotaWindow {
  const now = new Date(wallMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  return per === 'd'
    ? { name: now.toISOString().slice(0, 10), beginsAt: Date.UTC(year, month, day), endsAt: Date.UTC(year, month, day + 1) }
    : { name: now.toISOString().slice(0, 7), beginsAt: Date.UTC(year, month), endsAt: Date.UTC(year, month + 1) };
}

export function isIn({ beginsAt, endsAt }: QuotaWindow, wallMs: number): boolean {
  return wallMs >= beginsAt && wallMs < endsAt;
}
