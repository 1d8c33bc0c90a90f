import type { Candidate } from './candidate.ts';
import { searchEndsAt } from './drains.ts';
import { HEDGE_MS } from './selection.ts';

/**
 * When a decision is due next: at the end of a back-off, a hedge, a drain, to ask for a statement, or at one of `others`. What has
 * come due since the last decision was begun counts as next: it was not part of it.
 *
 * @param decidedAt and all other times on the monotonic clock
 * @returns `Infinity` when nothing is due
 */
export function nextDueAt(candidates: Iterable<Candidate>, others: readonly number[], decidedAt: number): number {
  const times = [...candidates].flatMap(dueTimes);
  return Math.min(...[...times, ...others].filter((time) => time > decidedAt));
}

function dueTimes(candidate: Candidate): number[] {
  return [
    ...(candidate.held === undefined ? [candidate.retryAt] : []),
    ...(candidate.held === undefined && candidate.standby === undefined ? [] : [candidate.statementDueAt]),
    ...(candidate.attemptAt === undefined ? [] : [candidate.attemptAt + HEDGE_MS]),
    ...(candidate.draining === undefined ? [] : [candidate.statement?.until ?? Infinity]),
    searchEndsAt(candidate),
  ];
}
