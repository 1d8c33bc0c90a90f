import { setTimeout as delay } from 'node:timers/promises';
import type { MeteredRelay } from './gossip-daemons.ts';
import { waitedSeconds } from './scheduling.ts';
import { readUsage } from './usage.ts';

/** What a relay does in a second, on average over all of them. */
export interface Rates {
  /** To and from other relays, by the counters of its cable. */
  readonly inBytes: number;
  readonly outBytes: number;
  /** By its own counters: of gossip, each message once. */
  readonly inMessages: number;
  readonly outMessages: number;
  readonly inGossipBytes: number;
  /** Of comparisons with another relay, both ways. */
  readonly syncBytes: number;
  /** Limits over the cluster, and signs of life. */
  readonly inLinkBytes: number;
  readonly refused: number;
  /** Questions of limits over the cluster, and those that nobody answered in time: the relay's part of the limit decided. */
  readonly decisions: number;
  readonly decidedAlone: number;
  readonly cpuSeconds: number;
  /** Ready to run while others ran. */
  readonly waitedSeconds: number;
}

type Sums = Record<keyof Rates, number>;

/** What a relay has done until then. */
interface Reading {
  readonly atMs: number;
  readonly sums: Sums;
}

const DECIDED_BY = ['share', 'owner', 'alone'];
const REFUSALS = ['foreign', 'secret', 'malformed', 'full'];

export async function ratesOver(relays: readonly MeteredRelay[], seconds: number): Promise<Rates> {
  const before = await readAll(relays);
  await delay(seconds * 1_000);
  const after = await readAll(relays);
  const names = Object.keys(before[0]?.sums ?? {}) as (keyof Rates)[];
  const mean = (name: keyof Rates): number => after.reduce((sum, one, i) => sum + rateOf(before[i], one, name), 0) / relays.length;
  return Object.fromEntries(names.map((name) => [name, mean(name)])) as Sums;
}

function rateOf(before: Reading | undefined, after: Reading, name: keyof Rates): number {
  return (after.sums[name] - (before?.sums[name] ?? NaN)) / ((after.atMs - (before?.atMs ?? NaN)) / 1_000);
}

/** One after the other, each with its own time: reading a counter takes a program of its own. */
async function readAll(relays: readonly MeteredRelay[]): Promise<Reading[]> {
  const readings: Reading[] = [];
  for (const relay of relays) readings.push(await read(relay));
  return readings;
}

/** Asking costs a relay some milliseconds of CPU, once in each window. What a relay of no cluster does not count is 0. */
async function read({ relay, crossed }: MeteredRelay): Promise<Reading> {
  const series = await relay.metrics();
  const atMs = performance.now();
  const value = (name: string, labels: string): number => series.get(`relayd_${name}{${labels}}`) ?? 0;
  const sums = {
    cpuSeconds: readUsage(relay.pid).cpuSeconds,
    waitedSeconds: waitedSeconds(relay.pid),
    inMessages: value('gossip_messages_total', 'direction="in"'),
    outMessages: value('gossip_messages_total', 'direction="out"'),
    inGossipBytes: value('gossip_bytes_total', 'direction="in"'),
    syncBytes: value('gossip_sync_bytes_total', 'direction="in"') + value('gossip_sync_bytes_total', 'direction="out"'),
    inLinkBytes: value('cluster_link_bytes_total', 'direction="in"'),
    refused: REFUSALS.reduce((sum, reason) => sum + value('gossip_refused_total', `reason="${reason}"`), 0),
    decisions: DECIDED_BY.reduce((sum, by) => sum + value('cluster_share_decisions_total', `by="${by}"`), 0),
    decidedAlone: value('cluster_share_decisions_total', 'by="alone"'),
    ...crossed(),
  };
  return { atMs, sums };
}

/** KiB, the mean of all. */
export function rssKiB(relays: readonly MeteredRelay[]): number {
  return relays.reduce((sum, { relay }) => sum + readUsage(relay.pid).rssKiB, 0) / relays.length;
}

/** Requests that relays have refused so far, all together, by limit (docs/reference/refusals.md). */
export async function refusalsOf(relays: readonly MeteredRelay[]): Promise<Record<string, number>> {
  const all = await Promise.all(relays.map(({ relay }) => relay.metrics()));
  const refusals: Record<string, number> = {};
  for (const [series, times] of all.flatMap((metrics) => [...metrics])) {
    const limit = /^relayd_relay_refusals_total\{.*limit="([^"]+)"/.exec(series)?.[1];
    if (limit !== undefined && times > 0) refusals[limit] = (refusals[limit] ?? 0) + times;
  }
  return refusals;
}
