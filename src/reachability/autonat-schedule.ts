import type { Reachability } from '../lib/contracts.ts';

export interface RoundState {
  readonly value: Reachability;
  /** Rounds in a row that changed nothing. */
  readonly sameRounds: number;
  /** An address that was reachable has just not been. */
  readonly isDoubtful: boolean;
  /** Rounds in a row in which no peer had anything to say. */
  readonly unanswered: number;
}

/**
 * A node that holds no reservation and whose port is closed is out of reach until it knows: two dials that a firewall swallows
 * take 16 s, and with the wait between them it knows within a minute.
 */
const SURE_MS = 25_000;

/** The second opinion. */
const DOUBTFUL_MS = 2_000;

/** Another peer may have something to say. Peers that have too much to do are left in peace: what they last said holds for ten minutes. */
const UNANSWERED_FIRST_MS = 10_000;
const UNANSWERED_MAX_MS = 2 * 60_000;

/** One that holds reservations has time: a port that is opened is found out about within a quarter of an hour. */
const PRIVATE_FIRST_MS = 60_000;
const PRIVATE_MAX_MS = 15 * 60_000;

const UNKNOWN_FIRST_MS = 5_000;
const UNKNOWN_MAX_MS = 2 * 60_000;

/** A tenth more or less, so that clients which started together do not ask together. */
const SPREAD = 0.1;

/** How long until peers are asked again, in milliseconds. */
export function roundDelayMs(state: RoundState, random: () => number): number {
  return baseDelayMs(state) * (1 - SPREAD + 2 * SPREAD * random());
}

function baseDelayMs({ value, sameRounds, isDoubtful, unanswered }: RoundState): number {
  switch (value) {
    case 'public':
      if (unanswered > 0) return doubled(UNANSWERED_FIRST_MS, unanswered - 1, UNANSWERED_MAX_MS);
      return isDoubtful ? DOUBTFUL_MS : SURE_MS;
    case 'private':
      return doubled(PRIVATE_FIRST_MS, sameRounds, PRIVATE_MAX_MS);
    case 'unknown':
      return doubled(UNKNOWN_FIRST_MS, sameRounds, UNKNOWN_MAX_MS);
  }
}

function doubled(firstMs: number, times: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(times, 10));
}
