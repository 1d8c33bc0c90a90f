import type { CandidateRow } from '../lib/contracts.ts';
import { peerText } from '../lib/logger.ts';
import type { Candidate } from './candidate.ts';
import { reasonOf } from './reasons.ts';
import { costOf, loadOf, regionOf } from './score.ts';
import type { SelectionState } from './selection.ts';

/** Every candidate with its figures, and why it is held, in reserve, or neither. */
export function candidateRows(candidates: Iterable<Candidate>, state: SelectionState): CandidateRow[] {
  const all = [...candidates];
  return all.map((candidate) => rowOf(candidate, reasonOf(candidate, all, state), state.nowMs));
}

function rowOf(candidate: Candidate, reason: string, nowMs: number): CandidateRow {
  const { held } = candidate;
  const region = regionOf(candidate);
  const waiting = isWaiting(candidate) ? Math.max(0, candidate.retryAt - nowMs) : undefined;
  return {
    peer: candidate.id,
    addr: (held?.connection.remoteAddr ?? candidate.addrs[0])?.toString() ?? '',
    state: held?.suspect === true ? 'lost' : candidate.state,
    source: candidate.source,
    rttMs: candidate.rttMs === undefined ? null : rounded(candidate.rttMs, 3),
    expiresAt: held === undefined ? null : new Date(held.reservation.expiresAtWall).toISOString(),
    failures: candidate.failures,
    availability: rounded(candidate.history.at(nowMs), 3),
    region: region === undefined ? null : peerText(region),
    load: loadOf(candidate, nowMs) ?? null,
    score: rounded(costOf(candidate, nowMs), 1),
    draining: candidate.draining !== undefined,
    reason,
    ...(waiting === undefined ? {} : { retryInSeconds: Math.ceil(waiting / 1000) }),
  };
}

function isWaiting({ held, state }: Candidate): boolean {
  return held === undefined && (state === 'backoff' || state === 'lost');
}

function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
