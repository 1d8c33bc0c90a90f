import type { Connection } from '@libp2p/interface';
import type { UserClass } from '../classes.ts';
import type { RelayContext } from '../context.ts';
import type { Standing } from '../membership.ts';

/** Who asks, by all that limits over the cluster are counted by. */
export interface Claimant {
  readonly class: UserClass;
  readonly peer: string;
  /** None for an address that is exempt from limits per prefix. */
  readonly prefixes: readonly string[];
  readonly asn: string | undefined;
  readonly tokenId: string | undefined;
  /** Circuits at the same time, where the token says how many. */
  readonly ownCircuits: number | undefined;
  /** Of a member; a realm without a name is the only one of its cluster. */
  readonly realm: string | undefined;
}

const UNNAMED_REALM = '*';

/** `undefined` for the node's own check peers: nothing of theirs is counted. */
export function claimantOf({ policy, asn }: Pick<RelayContext, 'policy' | 'asn'>, { remotePeer, remoteAddr }: Connection, { class: limitClass, grant }: Standing): Claimant | undefined {
  return limitClass === 'internal'
    ? undefined
    : {
        class: limitClass,
        peer: remotePeer.toString(),
        prefixes: policy.prefixes.keysOf(remoteAddr),
        asn: asn(remoteAddr)?.toString(),
        tokenId: grant?.tokenId,
        ownCircuits: grant?.limits.circuits,
        realm: limitClass === 'member' ? (policy.membership.realmName ?? UNNAMED_REALM) : undefined,
      };
}
