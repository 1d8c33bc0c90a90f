import { key, planned, section } from './key.ts';
import { oneOf } from './plain-types.ts';

/** What relays of a cluster share (Tier 3). Nothing of it is built yet: each key is known, and refused. */

const REASON = 'the coordination backends come with Tier 3, in a later release';

export const coordination = section('What relays of one cluster share.', {
  backend: key(oneOf(['none'], { gossip: REASON, redis: REASON, etcd: REASON }), { default: 'none', outside: true, doc: 'Where shared state lives; `none`: every relay is by itself.' }),
  cluster: planned("The cluster's name.", REASON),
  secretFile: planned('A secret; who holds it is a relay of the cluster.', REASON),
  relays: planned('Other relays of the cluster, for gossip.', REASON),
  redis: section('Redis.', { url: planned('Where it is.', REASON) }),
  etcd: section('etcd.', { endpoints: planned('Where it is.', REASON) }),
  limits: planned('Limits and quotas that are counted over the whole cluster.', REASON),
});
