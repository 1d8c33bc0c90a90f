import type { ClusterClaims } from '../../lib/cluster/relay-cluster.ts';
import type { RelayContext } from '../context.ts';
import { isCountedAlike } from '../reservations.ts';
import type { Reservation, ReservationRequest } from '../reservations.ts';
import type { Source } from '../source.ts';
import { askCluster } from './ask.ts';
import { claimantOf } from './claimant.ts';
import type { Claimant } from './claimant.ts';
import { isEmpty, quotasOf, requestRates, reservationHolds } from './claims.ts';
import type { GlobalLimits } from './global-limits.ts';
import type { PlacesChange } from './places.ts';
import type { ClusterTerms } from './terms.ts';

export interface ReserveQuestion {
  readonly request: ReservationRequest;
  /** What the peer holds already. */
  readonly existing: Reservation | undefined;
  /** A renewal at its time, which costs no token. */
  readonly isTimely: boolean;
}

interface ReserveClaims {
  readonly claims: ClusterClaims;
  /** The keys of all that the reservation is to take up; `undefined`: it keeps what it has. */
  readonly needed: ReadonlySet<string> | undefined;
}

/**
 * Takes what a RESERVE needs over the cluster: at most one round trip, and none where no limit is set. What was taken is the caller's to give back until a
 * reservation has it.
 *
 * @returns `undefined` when the reservation keeps the places that it has
 * @throws Refused `cluster.…`; RelaydError CLOSED, TIMEOUT
 */
export async function placesFor(context: RelayContext, { cluster, terms }: GlobalLimits, { stream, connection, standing }: Source, question: ReserveQuestion): Promise<PlacesChange | undefined> {
  const who = claimantOf(context, connection, standing);
  if (who === undefined) {
    return undefined;
  }
  const { claims, needed } = reserveClaims(terms, who, question);
  const permit = isEmpty(claims) ? undefined : await askCluster(cluster, context, claims, stream);
  return needed === undefined ? undefined : { permit, taken: claims.holds, needed };
}

/** What a RESERVE takes over the cluster: a renewal that is counted as before takes no place, and none twice. */
function reserveClaims(terms: ClusterTerms, who: Claimant, { request, existing, isTimely }: ReserveQuestion): ReserveClaims {
  const isCounted = existing !== undefined && isCountedAlike(existing, request);
  const holds = isCounted ? [] : reservationHolds(terms, who);
  return {
    claims: {
      holds: holds.filter(({ key }) => existing?.places?.has(key) !== true),
      rates: isTimely ? [] : requestRates(terms, who, 'reserve'),
      quotas: existing === undefined ? quotasOf(terms, who) : [],
    },
    needed: isCounted ? undefined : new Set(holds.map(({ key }) => key)),
  };
}
