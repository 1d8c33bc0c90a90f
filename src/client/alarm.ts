import { BACKOFF_CAP_MS } from './backoff.ts';
import type { Candidate } from './candidate.ts';
import type { ClientContext } from './context.ts';

/** A relay that comes and goes does not end the waits of others each time: they would be dialled without pause. */
const ALARM_EVERY_MS = BACKOFF_CAP_MS;

/** All clients of a relay notice its end together; they do not come to the next one together. */
const ALARM_SPREAD_MS = 1_000;

/**
 * `candidate`, which was relied on, goes: a relay in back-off may be back by now; only what it said itself of when to come back stands.
 *
 * @param delayMs until the others are tried
 */
export function alarm(candidate: Candidate, candidates: Iterable<Candidate>, nowMs: number, delayMs = 0): void {
  if (nowMs - candidate.alarmedAt < ALARM_EVERY_MS) {
    return;
  }
  candidate.alarmedAt = nowMs;
  for (const other of candidates) {
    if (other !== candidate && other.held === undefined) other.retryAt = Math.min(other.retryAt, Math.max(nowMs + delayMs, other.notBefore));
  }
}

/** Nothing works any more: whoever failed while all was well gets another chance at once. */
export function alarmIfLast(candidate: Candidate, { candidates, clock, random }: Pick<ClientContext, 'candidates' | 'clock' | 'random'>): void {
  if (working(candidates) === 0) alarm(candidate, candidates, clock.now(), random() * ALARM_SPREAD_MS);
}

/** Reservations whose relay answers. */
export function working(candidates: Iterable<Candidate>): number {
  return [...candidates].filter(isWorking).length;
}

export function isWorking(candidate: Candidate): boolean {
  return candidate.held?.suspect === false;
}
