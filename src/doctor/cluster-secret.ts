import { clusterOf } from './cluster.ts';
import type { Facts } from './facts.ts';
import { ok, warning } from './item.ts';
import type { Item } from './item.ts';

/** While two secrets open a cluster, a change of its secret is worth nothing: whoever has the old one is let in. */
export function checkClusterSecret(facts: Facts): Item | undefined {
  const rows = (clusterOf(facts)?.relays ?? []).filter(({ secrets }) => secrets.length > 0);
  const ids = [...new Set(rows.flatMap(({ secrets }) => secrets))];
  if (rows.length === 0) {
    return undefined;
  }
  if (ids.length === 1) {
    return ok('cluster-secret', `all relays have the one secret ${ids.join()}`);
  }
  const parts = ids.map((id) => {
    const [speaking, lacking] = [rows.filter(({ secrets }) => secrets[0] === id), rows.filter(({ secrets }) => !secrets.includes(id))];
    return `${id} is spoken by ${namesOf(speaking, rows.length)} and ${lacking.length === 0 ? 'accepted by all' : `not accepted by ${namesOf(lacking, rows.length)}`}`;
  });
  return warning('cluster-secret', `a change of the secret is not finished: ${parts.join('; ')}`, 'go on: the new one as second line on all relays, then first on all, then alone on all, with relayd reload each time (docs/tier3, Changing the secret)');
}

function namesOf(rows: readonly { peer: string }[], all: number): string {
  return rows.length === all ? `all ${all}` : rows.map(({ peer }) => peer).join(', ') || 'none';
}
