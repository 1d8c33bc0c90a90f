import { ipOf, networkOf } from '../lib/addresses.ts';
import type { Candidate } from './candidate.ts';

/** An attempt that takes longer than this no longer counts as one that will succeed: another is begun beside it. */
export const HEDGE_MS = 1_000;

/** Clients that see the same round-trip times must not all choose the same relay. */
const FUZZ = 0.3;
/** What a relay that was never measured is taken for: worse than a near one, better than a far one. */
const UNKNOWN_RTT_MS = 150;
/** Below this, round-trip times differ by chance; also keeps a product with 0 from hiding the other factors. */
const MIN_RTT_MS = 1;
/** A relay in the network of one that is held falls with it. */
const SAME_NETWORK_FACTOR = 2;
/** Networks as big as one site's. */
const NETWORK_BITS = { ipv4: 24, ipv6: 48 } as const;

export interface SelectionState {
  readonly desired: number;
  readonly nowMs: number;
  readonly random: () => number;
}

/** The relays to try now, best first. */
export function chooseAttempts(candidates: Iterable<Candidate>, state: SelectionState): Candidate[] {
  const all = [...candidates];
  const eligible = rank(all.filter((candidate) => isEligible(candidate, state.nowMs)), heldNetworks(all), state.random);
  const manual = eligible.filter((candidate) => candidate.source === 'manual');
  // Manual relays take the place of others, so for them only manual ones count as held.
  const forManual = Math.max(0, state.desired - expected(all, state.nowMs, 'manual'));
  const first = manual.slice(0, forManual);
  const still = state.desired - expected(all, state.nowMs) - first.length;
  const rest = eligible.filter((candidate) => !first.includes(candidate));
  return [...first, ...rest.slice(0, Math.max(0, still))];
}

/** The relays held beyond need, to be let go: those no longer listed once others are held, then the worst. */
export function chooseReleases(candidates: Iterable<Candidate>, state: SelectionState): Candidate[] {
  const all = [...candidates];
  const held = all.filter((candidate) => candidate.held !== undefined);
  const solid = held.filter((candidate) => candidate.listed && candidate.held?.missed === false);
  const enough = solid.length >= Math.min(state.desired, all.filter((candidate) => candidate.listed).length);
  const unlisted = enough ? held.filter((candidate) => !candidate.listed) : [];
  const surplus = rank(solid, new Set(), () => 0).slice(state.desired);
  return [...unlisted, ...surplus];
}

/** Best first: manual before others, then by round-trip time, availability and distance from the networks in use. */
export function rank(candidates: readonly Candidate[], avoid: ReadonlySet<string>, random: () => number): Candidate[] {
  const scored = candidates.map((candidate) => ({ candidate, score: score(candidate, avoid) * (1 + FUZZ * random()) }));
  scored.sort((a, b) => precedence(a.candidate) - precedence(b.candidate) || a.score - b.score);
  return scored.map(({ candidate }) => candidate);
}

function precedence(candidate: Candidate): number {
  return candidate.source === 'manual' ? 0 : 1;
}

/** The expected cost of relying on it: round-trip time over the chance that it is there. */
function score(candidate: Candidate, avoid: ReadonlySet<string>): number {
  const rtt = Math.max(MIN_RTT_MS, candidate.rttMs ?? UNKNOWN_RTT_MS);
  const near = networksOf(candidate).some((network) => avoid.has(network)) ? SAME_NETWORK_FACTOR : 1;
  return (rtt * near) / Math.max(0.05, candidate.availability);
}

function isEligible(candidate: Candidate, nowMs: number): boolean {
  return candidate.listed && candidate.held === undefined && candidate.attemptAt === undefined && candidate.retryAt <= nowMs;
}

/** Relays that are held, or are about to be. */
function expected(candidates: readonly Candidate[], nowMs: number, source?: Candidate['source']): number {
  const counted = candidates.filter((candidate) => candidate.listed && (source === undefined || candidate.source === source));
  return counted.filter((candidate) => isSolid(candidate) || isUnderWay(candidate, nowMs)).length;
}

function isSolid(candidate: Candidate): boolean {
  return candidate.held !== undefined && !candidate.held.missed;
}

function isUnderWay(candidate: Candidate, nowMs: number): boolean {
  return candidate.attemptAt !== undefined && nowMs - candidate.attemptAt < HEDGE_MS;
}

function heldNetworks(candidates: readonly Candidate[]): Set<string> {
  return new Set(candidates.filter((candidate) => candidate.held !== undefined).flatMap(networksOf));
}

function networksOf(candidate: Candidate): string[] {
  const ips = candidate.addrs.map(ipOf).filter((ip) => ip !== undefined);
  return ips.map((ip) => networkOf(ip, NETWORK_BITS[ip.kind()]));
}
