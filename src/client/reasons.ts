import { peerText } from '../lib/logger.ts';
import type { Candidate } from './candidate.ts';
import { standing } from './choice.ts';
import type { HeldRelay } from './held-relay.ts';
import { costOf, isFull, neighbourOf, publishedOf, regionOf } from './score.ts';
import type { SelectionState } from './selection.ts';

/** Why a candidate is held, in reserve, or neither, for a person. */
export function reasonOf(candidate: Candidate, all: readonly Candidate[], state: SelectionState): string {
  return inUseReason(candidate, all, state) ?? unusableReason(candidate) ?? unwantedReason(candidate, all, state);
}

function inUseReason(candidate: Candidate, all: readonly Candidate[], state: SelectionState): string | undefined {
  if (candidate.attemptAt !== undefined) {
    return 'a reservation is being asked for';
  }
  if (candidate.held !== undefined) {
    const parting = candidate.draining === undefined ? undefined : 'draining: held until another is';
    return parting ?? candidate.fault ?? servedAs(candidate.held) ?? (candidate.listed ? `held: ${place(candidate, all, state)}` : 'no longer listed: held until another is');
  }
  return candidate.standby === undefined ? undefined : 'in reserve: connected and probed';
}

function servedAs({ reservation: { tokenProblem, isMember } }: HeldRelay): string | undefined {
  return tokenProblem === undefined ? undefined : `held, ${isMember ? 'and served as a member by its id, not by its token' : 'but served as anyone'}: ${tokenProblem}`;
}

function unusableReason(candidate: Candidate): string | undefined {
  if (candidate.draining !== undefined) {
    return 'draining';
  }
  if (candidate.failures === 0 || (candidate.state !== 'backoff' && candidate.state !== 'lost')) {
    return undefined;
  }
  if (candidate.denial !== undefined) {
    return `refused: ${candidate.denial}`;
  }
  return `in back-off after ${candidate.failures === 1 ? '1 failure' : `${candidate.failures} failures`}: ${candidate.fault ?? 'unknown'}`;
}

function unwantedReason(candidate: Candidate, all: readonly Candidate[], state: SelectionState): string {
  if (state.desired === 0) {
    return 'not needed: others reach this node directly';
  }
  const held = all.filter((other) => other.held !== undefined);
  const [, other, near, sameRegion] = standing(candidate, held, state);
  const region = regionName(candidate);
  const reasons = [
    isFull(candidate, state.nowMs) ? `full${reservations(candidate, state)}` : undefined,
    state.avoid.includes(regionOf(candidate) ?? '') ? `region ${region} avoided` : undefined,
    candidate.rttMs === undefined ? 'not measured yet' : undefined,
    other > 0 ? `region ${region} not preferred` : undefined,
    near > 0 ? `same network as ${neighbourOf(candidate, held)?.id ?? ''}` : undefined,
    sameRegion > 0 ? `same region as ${held.find((one) => regionOf(one) === regionOf(candidate))?.id ?? ''}` : undefined,
  ];
  return reasons.find((reason) => reason !== undefined) ?? place(candidate, all, state);
}

function reservations(candidate: Candidate, { nowMs }: SelectionState): string {
  const classes = publishedOf(candidate, nowMs)?.classes ?? [];
  const max = classes.length === 1 ? classes[0]?.reservationsMax : undefined;
  return max === undefined || max === Infinity ? '' : `: ${max} of ${max} reservations`;
}

function regionName(candidate: Candidate): string {
  return peerText(regionOf(candidate) ?? 'unknown');
}

const PLACES = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'];

function place(candidate: Candidate, all: readonly Candidate[], { nowMs }: SelectionState): string {
  const cost = costOf(candidate, nowMs);
  const before = all.filter((other) => other !== candidate && other.listed && costOf(other, nowMs) < cost).length;
  return `${PLACES[before] ?? `${before + 1}th`} by score`;
}
