import { BACKOFF_CAP_MS } from './backoff.ts';
import type { Candidate } from './candidate.ts';

/** A relay that comes and goes does not end the waits of others each time: they would be dialled without pause. */
const ALARM_EVERY_MS = BACKOFF_CAP_MS;

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

/** Reservations whose relay answers. */
export function working(candidates: Iterable<Candidate>): number {
  return [...candidates].filter(isWorking).length;
}

export function isWorking(candidate: Candidate): boolean {
  return candidate.held?.suspect === false;
}
