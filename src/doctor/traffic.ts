import { isRelay, running } from './facts.ts';
import type { Facts, RunningFacts } from './facts.ts';
import { ok, warning } from './item.ts';
import type { Item } from './item.ts';
import { total } from './series.ts';

/** What the limits do to the traffic that there is. */

/** Above these shares the limits, and not the users, decide. */
const CUT_SHARE = 0.1;
const FULL_SHARE = 0.9;
/** Fewer circuits say nothing. */
const FEW_CIRCUITS = 5;
/** What one relay is for (docs: tier 1). */
const TIER1_NODES = 100;

/** The field's commonest surprise: a useful connection that ends at 128 KiB or after two minutes. */
export function checkCircuitLimits(facts: Facts): Item | undefined {
  const daemon = running(facts);
  if (daemon === undefined || !isRelay(facts)) {
    return undefined;
  }
  const ended = (labels: Record<string, string>): number => total(daemon.series, 'relayd_relay_circuits_ended_total', { class: 'public', ...labels });
  const [all, bytes, time] = [ended({}), ended({ reason: 'byte limit' }), ended({ reason: 'duration limit' })];
  const reason = `${bytes + time} of ${all} circuits since the start were cut by a limit (${bytes} by bytes, ${time} by duration)`;
  return all >= FEW_CIRCUITS && (bytes + time) / all > CUT_SHARE
    ? warning('circuit-limits', `${reason}: users see useful connections break`, 'raise relay.limits.circuits.bytesPerDirection and duration, or make your users members of a realm, who have no such limit (relayd realm init)')
    : ok('circuit-limits', reason);
}

export function checkSlots(facts: Facts): Item | undefined {
  const daemon = running(facts);
  const relay = daemon?.status.relay;
  if (daemon === undefined || relay === undefined) {
    return undefined;
  }
  const tight = (['public', 'member'] as const).flatMap((name) => tightness(daemon, name, relay.classes[name].reservations));
  if (tight.length > 0) {
    return warning('reservation-slots', tight.join('; '), 'raise reservations.max (relay.limits or relay.memberLimits), or set up a second relay (profile tier2) and name it in relay.alternatives');
  }
  return ok('reservation-slots', `${relay.reservations.count} of ${relay.reservations.max ?? 'any number of'} reservations are held, none was refused for want of room`);
}

function tightness({ series }: RunningFacts, name: string, { count, max }: { count: number; max: number | null }): string[] {
  const refused = total(series, 'relayd_relay_refusals_total', { class: name, limit: 'reservations.max' });
  if (refused > 0) {
    return [`${refused} reservations (class ${name}) were refused since the start because all ${max ?? ''} places were taken`];
  }
  return max !== null && max > 0 && count >= max * FULL_SHARE ? [`${count} of ${max} reservations (class ${name}) are held`] : [];
}

const PER_NETWORK = ['reservations.perPrefix', 'reservations.perAsn', 'rates.reservePerPrefix', 'rates.connectPerPrefix'];
/** Those of this relay, and those over its cluster. */
const OF_A_NETWORK = [...PER_NETWORK, ...PER_NETWORK.map((limit) => `cluster.${limit}`), 'cluster.circuits.perPrefix'];

/** Also the addresses' share: users behind one NAT, or one carrier, are many. */
export function checkSharedAddresses(facts: Facts): Item | undefined {
  const daemon = running(facts);
  if (daemon?.status.relay === undefined) {
    return undefined;
  }
  const refused = OF_A_NETWORK.map((limit): [string, number] => [limit, total(daemon.series, 'relayd_relay_refusals_total', { limit })]).filter(([, count]) => count > 0);
  return refused.length === 0
    ? ok('shared-addresses', 'nobody was refused because others come from the same network')
    : warning('shared-addresses', `refused because others come from the same network: ${refused.map(([limit, count]) => `${count} by ${limit}`).join(', ')}`, 'where these are your users behind one NAT, raise that limit or name their network in relay.prefixes.exempt');
}

export function checkNodeCount(facts: Facts): Item | undefined {
  const relay = running(facts)?.status.relay;
  if (relay === undefined || facts.config.profile !== 'tier1') {
    return undefined;
  }
  const { count } = relay.reservations;
  return count > TIER1_NODES
    ? warning('node-count', `${count} nodes hold reservations: one relay is for fewer than about ${TIER1_NODES}, and all of them lose it at once`, 'set up a second relay in another region, and use profile tier2 on both')
    : ok('node-count', `${count} nodes hold reservations; one relay is for fewer than about ${TIER1_NODES}`);
}
