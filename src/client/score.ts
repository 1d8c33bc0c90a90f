import { ipOf, networkOf } from '../lib/addresses.ts';
import type { Candidate } from './candidate.ts';

/** Added to every round trip: relays that differ by less than this are as good as each other to a person, and share the clients. */
const BASE_MS = 25;
/** What a relay that was never measured is taken for: worse than a near one, better than a far one. */
const UNKNOWN_RTT_MS = 150;
/** A relay that was never there when asked is not impossible, only dear. */
const MIN_AVAILABILITY = 0.05;
/** From here on, a relay's load makes it dearer: it may be full before long, and what it carries gets in each other's way. */
const BUSY = 0.5;
/** How much dearer when there is no room left at all. */
const CROWDED_FACTOR = 4;

/** Networks as big as one site's: what is in one falls together. */
const NETWORK_BITS = { ipv4: 24, ipv6: 48 } as const;

/** Regions, as the operator of this node named them. */
export interface Preferences {
  readonly prefer: readonly string[];
  readonly avoid: readonly string[];
}

/**
 * What relying on a relay is expected to cost, in milliseconds: what a round trip takes, with the lateness of the relay's
 * event loop, times its crowding, over the chance that it is there. docs/reference/client.md explains it.
 */
export function costOf(candidate: Candidate, nowMs: number): number {
  const lateMs = publishedOf(candidate, nowMs)?.load.eventLoopDelayMs ?? 0;
  const crowding = 1 + (CROWDED_FACTOR - 1) * Math.max(0, (burden(candidate, nowMs) - BUSY) / (1 - BUSY));
  return ((BASE_MS + (candidate.rttMs ?? UNKNOWN_RTT_MS) + lateMs) * crowding) / Math.max(MIN_AVAILABILITY, candidate.history.at(nowMs));
}

/** What of its load would be in our way: whoever holds a reservation need not care how many others do. */
function burden(candidate: Candidate, nowMs: number): number {
  const load = publishedOf(candidate, nowMs)?.load;
  return Math.min(1, Math.max(candidate.held === undefined ? (load?.reservations ?? 0) : 0, load?.circuits ?? 0, load?.bandwidth ?? 0));
}

/** The fullest of what the relay publishes, 0 to 1; `undefined` when it publishes nothing. */
export function loadOf(candidate: Candidate, nowMs: number): number | undefined {
  const load = publishedOf(candidate, nowMs)?.load;
  return load === undefined ? undefined : Math.min(1, Math.max(load.reservations, load.circuits, load.bandwidth ?? 0));
}

/** It says that it has no reservation left for this node, which has none there. */
export function isFull(candidate: Candidate, nowMs: number): boolean {
  return candidate.held === undefined && (publishedOf(candidate, nowMs)?.load.reservations ?? 0) >= 1;
}

/** Stays known when the rest of a statement has expired: a relay does not move. */
export function regionOf(candidate: Candidate): string | undefined {
  return candidate.statement?.content.region;
}

/** What the relay says of itself, while it holds. */
export function publishedOf({ statement }: Candidate, nowMs: number): NonNullable<Candidate['statement']>['content'] | undefined {
  return statement !== undefined && nowMs < statement.until ? statement.content : undefined;
}

/** The relay that shares a network with `candidate`, if one of `others` does. */
export function neighbourOf(candidate: Candidate, others: readonly Candidate[]): Candidate | undefined {
  const networks = new Set(networksOf(candidate));
  return others.find((other) => other !== candidate && networksOf(other).some((network) => networks.has(network)));
}

function networksOf(candidate: Candidate): string[] {
  const ips = candidate.addrs.map(ipOf).filter((ip) => ip !== undefined);
  return ips.map((ip) => networkOf(ip, NETWORK_BITS[ip.kind()]));
}
