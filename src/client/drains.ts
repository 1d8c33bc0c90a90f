import { alarm, isWorking, working } from './alarm.ts';
import type { Candidate } from './candidate.ts';
import { isEligible } from './selection.ts';
import type { SelectionState } from './selection.ts';

/** A relay that drains waits for its clients no longer than this client looks for another: by then, whoever answers has. */
const SEARCH_MS = 5_000;

/** A relay has said that it will go. */
export interface Draining {
  /** On the monotonic clock. */
  readonly since: number;
  /** Reservations that worked when it said so: there are never fewer, if it can be helped. */
  readonly target: number;
  /** Tells the relay that it may go; `undefined` once it has been told. */
  ready: (() => void) | undefined;
}

/** Notes that a relay drains; `ready` of an earlier notice is answered, for this one takes its place. */
export function beginDraining(candidate: Candidate, candidates: Iterable<Candidate>, state: SelectionState, ready: () => void): void {
  const before = candidate.draining;
  tellReady(candidate);
  candidate.draining = { since: before?.since ?? state.nowMs, target: before?.target ?? Math.min(state.desired, working(candidates)), ready };
  if (candidate.held !== undefined) alarm(candidate, candidates, state.nowMs);
}

/** It has gone, or has come back. */
export function endDraining(candidate: Candidate): void {
  tellReady(candidate);
  candidate.draining = undefined;
}

/** The draining relays whose place others have taken, to be let go. All that need not wait for this client are told so. */
export function drained(candidates: Iterable<Candidate>, state: SelectionState): Candidate[] {
  const all = [...candidates];
  let left = working(all);
  const replaced: Candidate[] = [];
  for (const candidate of all) {
    const { draining } = candidate;
    if (draining === undefined) continue;
    const others = left - Number(isWorking(candidate));
    if (candidate.held !== undefined && others >= draining.target) {
      left = others;
      replaced.push(candidate);
    }
    const over = candidate.held === undefined || replaced.includes(candidate) || state.nowMs >= draining.since + SEARCH_MS || isNowhereToGo(all, state.nowMs);
    if (over) tellReady(candidate);
  }
  return replaced;
}

/** When the search for another ends, on the monotonic clock; `Infinity` when there is none. */
export function searchEndsAt(candidate: Candidate): number {
  return candidate.draining?.ready === undefined ? Infinity : candidate.draining.since + SEARCH_MS;
}

function tellReady(candidate: Candidate): void {
  const ready = candidate.draining?.ready;
  if (candidate.draining !== undefined) candidate.draining.ready = undefined;
  ready?.();
}

function isNowhereToGo(candidates: readonly Candidate[], nowMs: number): boolean {
  return candidates.every((candidate) => candidate.attemptAt === undefined && !isEligible(candidate, nowMs));
}
