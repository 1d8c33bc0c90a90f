import { clusterOf, isClusterRelay } from './cluster.ts';
import type { Facts } from './facts.ts';
import { ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** What tier 3 is for: a user gets a limit once, however many relays there are. */
export function checkClusterLimits(facts: Facts): Item | undefined {
  const { relay, coordination } = facts.config;
  if (!isClusterRelay(facts) || !relay.open) {
    return undefined;
  }
  const { reservations, circuits, rates, quotas } = coordination.limits;
  const numbers = [...Object.values(reservations), ...Object.values(circuits)].filter((limit) => limit !== Infinity);
  const count = numbers.length + [...Object.values(rates), ...Object.values(quotas)].filter((limit) => limit !== undefined).length;
  if (count === 0) {
    return warning('cluster-limits', 'coordination.limits is empty: with N relays, anyone may get N times what one relay gives', 'set reservations.perPrefix, circuits.perSource and the rates in coordination.limits (profile: tier3 does)');
  }
  const unreachable = unreachableLimits(facts);
  return unreachable.length > 0
    ? warning('cluster-limits', `never reached, for each relay admits less by its own limits: ${unreachable.join('; ')}`, 'raise these in relay.limits of every relay, or lower those in coordination.limits: both hold')
    : ok('cluster-limits', `${count} limits are counted over the cluster`);
}

/** Limits over the cluster that are above what all relays together admit. One relay alone says nothing: others are to come. */
function unreachableLimits(facts: Facts): string[] {
  const relays = clusterOf(facts)?.relays.length ?? 1;
  const { relay: { limits: own }, coordination: { limits } } = facts.config;
  const pairs: [string, number, number][] = [
    ['reservations.max', limits.reservations.max, own.reservations.max],
    ['reservations.perPrefix', limits.reservations.perPrefix, own.reservations.perPrefix],
    ['reservations.perAsn', limits.reservations.perAsn, own.reservations.perAsn],
    ['circuits.max', limits.circuits.max, own.circuits.max],
    ['circuits.perSource', limits.circuits.perSource, own.circuits.perSource],
    ['circuits.perTarget', limits.circuits.perTarget, own.circuits.perTarget],
  ];
  const above = pairs.filter(([, inAll, each]) => relays > 1 && inAll !== Infinity && inAll > each * relays);
  return above.map(([limit, inAll, each]) => `${limit} is ${inAll} over the cluster, and ${each} at each of ${relays} relays`);
}
