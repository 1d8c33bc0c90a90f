import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Candidate } from './candidate.ts';
import { distinct } from './reservation-addrs.ts';
import { rank } from './selection.ts';

/** A relay through which a peer may be tried. */
export interface RelayRoute {
  readonly relay: PeerId;
  readonly addrs: readonly Multiaddr[];
}

/** What the dialler asks about relays; the supervisor answers. */
export interface RelayDirectory {
  /** The relays of this network: held ones first, best first; those that do not answer last. */
  relays(): RelayRoute[];
  /** False for a relay that has left a probe unanswered. */
  answers(relay: string): boolean;
  /** Whether a reservation lives on this connection. */
  carries(connection: Connection): boolean;
}

/** For a node without a client. */
export const noRelays: RelayDirectory = { relays: () => [], answers: () => true, carries: () => false };

export function relayRoutes(candidates: Iterable<Candidate>): RelayRoute[] {
  const ranked = rank([...candidates], new Set(), () => 0);
  const sorted = ranked.sort((a, b) => preference(a) - preference(b));
  return sorted.map((candidate) => ({
    relay: candidate.peer,
    addrs: distinct([...candidate.addrs, ...(candidate.held?.reservation.addrs ?? [])]),
  }));
}

function preference(candidate: Candidate): number {
  if (candidate.held !== undefined) {
    return candidate.held.suspect ? 3 : 0;
  }
  return candidate.state === 'lost' || candidate.state === 'backoff' ? 2 : 1;
}
