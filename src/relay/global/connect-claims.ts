import type { PeerId, Stream } from '@libp2p/interface';
import type { ClusterClaims, QuotaClaim } from '../../lib/cluster/relay-cluster.ts';
import type { RelayContext } from '../context.ts';
import type { Source } from '../source.ts';
import { askCluster } from './ask.ts';
import { CircuitShare } from './circuit-share.ts';
import { claimantOf } from './claimant.ts';
import { circuitHolds, isEmpty, quotasOf, requestRates, targetQuotas } from './claims.ts';
import type { GlobalLimits } from './global-limits.ts';

/**
 * Takes what a circuit needs over the cluster, once all local checks have passed. The share is the caller's: to release with the circuit, or when it
 * does not come to be. So are the checks of what may have changed in the meantime, `assertLasts` of the share among them.
 *
 * @param targetIsHere this relay holds the target's reservation: the target's bytes are counted here too, else at the relay that does
 * @returns `undefined` when there is nothing to ask and nothing to count: no time has passed then
 * @throws Refused `cluster.…`; RelaydError CLOSED, TIMEOUT
 */
export function admitCircuit(context: RelayContext, source: Source, target: PeerId, targetIsHere: boolean): Promise<CircuitShare> | undefined {
  const { global } = context;
  const who = global === undefined ? undefined : claimantOf(context, source.connection, source.standing);
  if (global === undefined || who === undefined) {
    return undefined;
  }
  const { terms } = global;
  const id = target.toString();
  const [own, ofTarget] = [quotasOf(terms, who), targetQuotas(terms, id)];
  const claims = { holds: circuitHolds(terms, who, id), rates: requestRates(terms, who, 'connect'), quotas: [...own, ...ofTarget] };
  return isEmpty(claims) ? undefined : takeShare(context, global, source.stream, claims, targetIsHere ? claims.quotas : own);
}

/** What a circuit counts for at the relay that holds its target's reservation, when it came in at another one. Nothing is asked. */
export function exitShare({ global }: Pick<RelayContext, 'global'>, target: PeerId): CircuitShare | undefined {
  const quotas = global === undefined ? [] : targetQuotas(global.terms, target.toString());
  return global === undefined || quotas.length === 0 ? undefined : new CircuitShare(global, undefined, quotas);
}

async function takeShare(context: RelayContext, global: GlobalLimits, stream: Stream, claims: ClusterClaims, counted: readonly QuotaClaim[]): Promise<CircuitShare> {
  const permit = await askCluster(global.cluster, context, claims, stream);
  return new CircuitShare(global, permit, counted);
}
