import type { ClusterLimit } from '../lib/cluster/relay-cluster.ts';
import type { TokenProblem } from '../lib/membership/verifier.ts';

const REALM = '{realm}';

type Explained = TokenProblem | 'members only' | Extract<`cluster.${ClusterLimit}`, `cluster.quotas.${string}`>;

/** For the person at the other end: what is wrong, and what would help. */
const TEXTS: Record<Explained, string> = {
  'members only': `this relay serves members of ${REALM}; ask its operator for an invitation`,
  'token malformed': 'the token cannot be read; ask for a new one',
  'token signature': `the token was not signed by the authority of ${REALM}, or was altered; ask for a new one`,
  'token wrong realm': `the token is of another realm than ${REALM}`,
  'token not yet valid': 'the token is not valid yet; is the clock of this machine right?',
  'token expired': 'the token has expired; ask for a new one',
  'token wrong peer': 'the token was issued to another peer',
  'token used up': 'the token has been used by as many peers as it is for; ask for another one',
  'token use': 'the token is not for this use; ask for one that is',
  'token revoked': 'the token, or the peer, has been revoked by the realm',
  'cluster.quotas.peer': 'the relays of this cluster have carried as many bytes for this peer as they do in this day or month; it begins anew by UTC',
  'cluster.quotas.prefix': 'the relays of this cluster have carried as many bytes for this network as they do in this day or month; it begins anew by UTC',
  'cluster.quotas.realm': `the relays of this cluster have carried as many bytes for ${REALM} as they do in this day or month; ask its operator`,
  'cluster.quotas.token': 'the relays of this cluster have carried as many bytes for this token as they do in this day or month; ask for another one',
};

const texts: ReadonlyMap<string, string> = new Map(Object.entries(TEXTS));

/** A text for a refusal that has to do with who the peer is, or with what it has used; other refusals say enough by their numbers. */
export function explain(limit: string, realmName: string | undefined): string | undefined {
  return texts.get(limit)?.replace(REALM, realmName === undefined ? 'its realm' : `the realm ${realmName}`);
}
