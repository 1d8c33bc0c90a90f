import type { Connection, IdentifyResult } from '@libp2p/interface';
import { CODE_P2P } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { isCircuit, isRelayed } from '../lib/addresses.ts';
import type { Observation } from '../lib/contracts.ts';

/** What is told by one peer's identify of itself: as many addresses are looked at. */
const MAX_PEER_ADDRS = 16;

/**
 * What identify tells, by connection: where the peer sees us, and where it says that it can be reached. Kept for as long
 * as the connection is.
 */
export class Observations {
  readonly #seen = new Map<Connection, Multiaddr>();
  readonly #told = new WeakMap<Connection, readonly Multiaddr[]>();
  readonly #waiting = new WeakMap<Connection, PromiseWithResolvers<void>>();

  readonly identified = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const { connection, observedAddr, listenAddrs } = detail;
    this.#told.set(connection, listenAddrs.filter((addr) => !isCircuit(addr)).slice(0, MAX_PEER_ADDRS));
    if (observedAddr !== undefined && isOwnDial(connection) && !isCircuit(observedAddr)) {
      this.#seen.set(connection, observedAddr.decapsulateCode(CODE_P2P));
    }
    this.#waiting.get(connection)?.resolve();
  };

  readonly closed = ({ detail }: CustomEvent<Connection>): void => {
    this.#seen.delete(detail);
  };

  /** Resolves when identify has run on `connection`; never, when it does not. */
  async untilIdentified(connection: Connection): Promise<void> {
    if (this.#told.has(connection)) {
      return;
    }
    const waiting = this.#waiting.get(connection) ?? Promise.withResolvers<void>();
    this.#waiting.set(connection, waiting);
    await waiting.promise;
  }

  /** The direct addresses that the peer of `connection` says it has. */
  told(connection: Connection): readonly Multiaddr[] {
    return this.#told.get(connection) ?? [];
  }

  /** Those of `relay` first: it is the one that both peers use. */
  list(relay: string | undefined): Observation[] {
    const all = [...this.#seen].map(([connection, seenAt]) => ({ connection, seenAt }));
    const ofRelay = (observation: Observation): boolean => observation.connection.remotePeer.toString() === relay;
    return all.sort((a, b) => Number(ofRelay(b)) - Number(ofRelay(a)));
  }

  clear(): void {
    this.#seen.clear();
  }
}

/** Whoever comes to us could say anything, and sees a listener's port. */
function isOwnDial(connection: Connection): boolean {
  return connection.status === 'open' && connection.direction === 'outbound' && !isRelayed(connection);
}
