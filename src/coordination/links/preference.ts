/** What two links between the same relays differ in. */
interface Candidate {
  readonly openedAt: number;
  readonly openedByUs: boolean;
}

/**
 * Two relays that dial each other at once have both links within this time; a second link that comes later stands in place of one that the other
 * side has lost.
 */
const AT_ONCE_MS = 2_000;

/**
 * Whether the `fresh` link is to stand in place of the `held` one. Of two that came at once both sides keep the one that the relay with the lower id
 * opened; else the newer. Should the sides not agree for once, both links are closed and dialled again.
 */
export function isBetter(fresh: Candidate, held: Candidate, self: string, other: string): boolean {
  if (fresh.openedByUs === held.openedByUs || fresh.openedAt - held.openedAt > AT_ONCE_MS) {
    return true;
  }
  return fresh.openedByUs === self < other;
}
