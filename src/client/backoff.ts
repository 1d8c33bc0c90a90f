import type { Candidate } from './candidate.ts';

/** How long to wait after the first failure, and the most after many. */
const BACKOFF_BASE_MS = 250;
export const BACKOFF_CAP_MS = 30_000;

/** A relay that has served and was lost is most likely restarting: for so long it is asked at least this often. */
const RETURN_MS = 10 * 60_000;
const RETURN_CAP_MS = 10_000;

/** A relay may say "not before": up to here that is believed; beyond, it would be a ban. */
export const RETRY_AFTER_CAP_MS = 300_000;

/**
 * Full-jitter back-off: evenly spread over a window that doubles with each failure, so that clients which lost a relay
 * together do not come back together.
 *
 * @param failures in a row, at least 1
 * @param retryAfterMs the relay's own word; a floor, with the jitter on top
 * @param capMs the widest window
 */
export function backoffMs(failures: number, random: () => number, retryAfterMs = 0, capMs = BACKOFF_CAP_MS): number {
  const window = Math.min(capMs, BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 30));
  return Math.min(retryAfterMs, RETRY_AFTER_CAP_MS) + random() * window;
}

/** The widest window of a relay's back-off. Of 1,000 clients that wait for a restarted relay, 200 a second come when it is back. */
export function backoffCapMs(candidate: Pick<Candidate, 'lostAt'>, nowMs: number): number {
  return nowMs - candidate.lostAt < RETURN_MS ? RETURN_CAP_MS : BACKOFF_CAP_MS;
}
