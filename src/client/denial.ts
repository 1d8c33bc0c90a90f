import { Status } from '../lib/circuit/protocol.ts';
import { RelaydError } from '../lib/errors.ts';
import { peerText } from '../lib/logger.ts';
import type { Logger } from '../lib/logger.ts';
import type { Candidate } from './candidate.ts';
import type { Reservation } from './reservation.ts';
import { refusalOf } from './retry-after.ts';

/**
 * Why a relay refuses this node for what it is, for a person; `undefined` for any other failure. Nothing but another token, or the
 * relay's operator, changes that.
 */
export function denialOf(error: unknown): string | undefined {
  if (!(error instanceof RelaydError) || error.data.status !== Status.PERMISSION_DENIED) {
    return undefined;
  }
  const { limit = 'permission denied', explanation } = refusalOf(error) ?? {};
  return peerText(explanation === undefined ? limit : `${limit}: ${explanation}`);
}

/** Said once for each reason: only a person can change it. */
export function noteDenial(candidate: Candidate, error: unknown, log: Logger): void {
  const denial = denialOf(error);
  if (denial !== undefined && denial !== candidate.denial) {
    log.warn({ relay: candidate.id, reason: denial }, 'a relay refuses this node');
  }
  candidate.denial = denial;
}

/** The same of a relay that serves this node, but not for its token. */
export function noteTokenProblem(candidate: Candidate, { tokenProblem, isMember }: Reservation, before: Reservation | undefined, log: Logger): void {
  if (tokenProblem !== undefined && (tokenProblem !== before?.tokenProblem || isMember !== before.isMember)) {
    log.warn({ relay: candidate.id, reason: tokenProblem }, `a relay does not accept the token, and serves this node as ${isMember ? 'a member by its id' : 'anyone'}`);
  }
}
