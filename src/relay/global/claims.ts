import type { ClusterClaims, ClusterLimit, HoldClaim, QuotaClaim, RateClaim } from '../../lib/cluster/relay-cluster.ts';
import type { Rate } from '../../lib/token-bucket.ts';
import type { UserClass } from '../classes.ts';
import type { Claimant } from './claimant.ts';
import { claimKey, quotaKey } from './keys.ts';
import type { ClusterTerms } from './terms.ts';

/** The whole of a class. */
const ALL = ['*'];

/** The places that a reservation takes up. A limit that is not set claims nothing. */
export function reservationHolds(terms: ClusterTerms, who: Claimant): HoldClaim[] {
  const { max, perPeer, perPrefix, perAsn } = limitsOf(terms, who).reservations;
  return [
    ...holds(who.class, 'reservations.max', ALL, max),
    ...holds(who.class, 'reservations.perPeer', [who.peer], perPeer),
    ...holds(who.class, 'reservations.perPrefix', who.prefixes, perPrefix),
    ...holds(who.class, 'reservations.perAsn', present(who.asn), perAsn),
    ...holds(who.class, 'reservations.perToken', present(who.tokenId), terms.memberLimits.reservations.perToken),
  ];
}

/** The places that a circuit of `who`'s to `target` takes up. A token's own number of circuits stands in place of its class's. */
export function circuitHolds(terms: ClusterTerms, who: Claimant, target: string): HoldClaim[] {
  const { max, perSource, perTarget, perPrefix } = limitsOf(terms, who).circuits;
  const ofSource = Number.isFinite(perSource) ? (who.ownCircuits ?? perSource) : perSource;
  return [
    ...holds(who.class, 'circuits.max', ALL, max),
    ...holds(who.class, 'circuits.perSource', [who.peer], ofSource),
    ...holds(who.class, 'circuits.perTarget', [target], perTarget),
    ...holds(who.class, 'circuits.perPrefix', who.prefixes, perPrefix),
    ...holds(who.class, 'circuits.perToken', present(who.tokenId), terms.memberLimits.circuits.perToken),
  ];
}

export function requestRates(terms: ClusterTerms, who: Claimant, request: 'reserve' | 'connect'): RateClaim[] {
  const { rates } = limitsOf(terms, who);
  return [
    ...ratesOf(who.class, `rates.${request}PerPrefix`, who.prefixes, rates[`${request}PerPrefix`]),
    ...ratesOf(who.class, `rates.${request}PerPeer`, [who.peer], rates[`${request}PerPeer`]),
  ];
}

/** What the bytes of `who`'s circuits count for, whatever its class. */
export function quotasOf({ limits: { quotas } }: ClusterTerms, who: Claimant): QuotaClaim[] {
  return [
    ...quota('peer', [who.peer], quotas.peer),
    ...quota('prefix', who.prefixes, quotas.prefix),
    ...quota('realm', present(who.realm), quotas.realm),
    ...quota('token', present(who.tokenId), quotas.token),
  ];
}

/** What the bytes of a circuit count for on the side of the peer that it leads to. */
export function targetQuotas({ limits: { quotas } }: ClusterTerms, target: string): QuotaClaim[] {
  return quota('peer', [target], quotas.peer);
}

/** Without any claim there is nothing to ask. */
export function isEmpty({ holds: places, rates, quotas }: ClusterClaims): boolean {
  return places.length === 0 && rates.length === 0 && quotas.length === 0;
}

function limitsOf(terms: ClusterTerms, who: Claimant): ClusterTerms['limits'] | ClusterTerms['memberLimits'] {
  return who.class === 'member' ? terms.memberLimits : terms.limits;
}

function holds(limitClass: UserClass, limit: ClusterLimit, of: readonly string[], maximum: number): HoldClaim[] {
  return Number.isFinite(maximum) ? of.map((what) => ({ limit, key: claimKey(limitClass, limit, what), maximum })) : [];
}

function ratesOf(limitClass: UserClass, limit: ClusterLimit, of: readonly string[], rate: Rate | undefined): RateClaim[] {
  return rate === undefined ? [] : of.map((what) => ({ limit, key: claimKey(limitClass, limit, what), rate }));
}

function quota(of: 'peer' | 'prefix' | 'realm' | 'token', whose: readonly string[], limit: QuotaClaim['quota'] | undefined): QuotaClaim[] {
  return limit === undefined ? [] : whose.map((what) => ({ limit: `quotas.${of}`, key: quotaKey(of, what), quota: limit }));
}

function present(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}
