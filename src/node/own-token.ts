import { multiaddr } from '@multiformats/multiaddr';
import type { RelaydConfig } from '../config/domain.ts';
import type { TokenFor } from '../lib/membership/token-for.ts';
import type { Realm, TokenFacts } from '../realm/index.ts';

type Named = Pick<RelaydConfig, 'client' | 'discovery'>;

/**
 * This node's own token, and who gets to see it. One that is bound to this node's id is of no use to anybody else, and goes to every relay.
 * A bearer's is, whoever has seen it: it goes to the relays whose peer id the operator wrote, and to none that a name or another peer told of;
 * and only to those for whom it says anything. A relay must not get what opens a tunnel, nor the owner of a tunnel what makes a member.
 */
export class OwnToken {
  readonly #realm: Pick<Realm, 'token'>;
  #named: ReadonlySet<string>;

  constructor(realm: Pick<Realm, 'token'>, config: Named) {
    this.#realm = realm;
    this.#named = namedPeers(config);
  }

  update(config: Named): void {
    this.#named = namedPeers(config);
  }

  readonly forRelay: TokenFor = (relay) => {
    const { token } = this.#realm;
    return token !== undefined && (token.peer !== undefined || (isForRelays(token) && this.#named.has(relay.toString()))) ? token.bytes : undefined;
  };

  /** The operator named the peers whose tunnels this node uses, and a service is reached at no other. */
  readonly forTunnel = (service: string): Uint8Array | undefined => {
    const { token } = this.#realm;
    return token !== undefined && (token.peer !== undefined || token.uses.includes(`tunnel:${service}`)) ? token.bytes : undefined;
  };

  /** What is shown, and to whom: to compare. It holds the token: never to be logged. */
  get shown(): string {
    const { token } = this.#realm;
    return token === undefined ? '' : [Buffer.from(token.bytes).toString('base64url'), ...(token.peer === undefined ? [...this.#named].sort() : [])].join(' ');
  }
}

function isForRelays({ uses }: TokenFacts): boolean {
  return uses.includes('reserve') || uses.includes('connect');
}

function namedPeers({ client, discovery }: Named): Set<string> {
  const last = [...client.relays, ...discovery.bootstrap].map((text) => multiaddr(text).getComponents().at(-1));
  return new Set(last.flatMap((part) => (part?.name === 'p2p' && part.value !== undefined ? [part.value] : [])));
}
