import { createHash } from 'node:crypto';
import { MAX_KEY_BYTES } from '../../lib/cluster/relay-cluster.ts';
import type { ClusterLimit } from '../../lib/cluster/relay-cluster.ts';
import type { UserClass } from '../classes.ts';

/** Room for what stands in front of it. */
const MAX_WHAT_BYTES = MAX_KEY_BYTES - 64;

/** What the places and tokens of a limit are counted under: `public/reservations.perPrefix/192.0.2.0/24`. */
export function claimKey(limitClass: UserClass, limit: ClusterLimit, what: string): string {
  return `${limitClass}/${limit}/${bounded(what)}`;
}

/** What bytes are counted under; the class does not matter: `quota/peer/12D3KooW…`. */
export function quotaKey(of: 'peer' | 'prefix' | 'realm' | 'token', what: string): string {
  return `quota/${of}/${bounded(what)}`;
}

/** A CONNECT may name a target whose id is as long as the message: a digest stands for it. */
function bounded(what: string): string {
  return Buffer.byteLength(what) <= MAX_WHAT_BYTES ? what : `sha256-${createHash('sha256').update(what).digest('hex')}`;
}
