/** How long to wait after the first failure, and the most after many. */
const BACKOFF_BASE_MS = 250;
export const BACKOFF_CAP_MS = 30_000;

/** A relay may say "not before": up to here that is believed; beyond, it would be a ban. */
export const RETRY_AFTER_CAP_MS = 300_000;

/**
 * Full-jitter back-off: evenly spread over a window that doubles with each failure, so that clients which lost a relay
 * together do not come back together.
 *
 * @param failures in a row, at least 1
 * @param retryAfterMs the relay's own word; a floor, with the jitter on top
 */
export function backoffMs(failures: number, random: () => number, retryAfterMs = 0): number {
  const window = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 30));
  return Math.min(retryAfterMs, RETRY_AFTER_CAP_MS) + random() * window;
}
