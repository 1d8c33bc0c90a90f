import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Candidate } from './candidate.ts';
import { distinct } from './reservation-addrs.ts';
import { costOf } from './score.ts';

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

export function relayRoutes(candidates: Iterable<Candidate>, nowMs: number): RelayRoute[] {
  const sorted = [...candidates].sort((a, b) => preference(a) - preference(b) || rank(a) - rank(b) || costOf(a, nowMs) - costOf(b, nowMs));
  return sorted.map((candidate) => ({
    relay: candidate.peer,
    addrs: distinct([...candidate.addrs, ...(candidate.held?.reservation.addrs ?? [])]),
  }));
}

/** The operator's relays are those of this network; what was found may be anybody's. */
function rank(candidate: Candidate): number {
  return candidate.source === 'manual' ? 0 : 1;
}

function preference(candidate: Candidate): number {
  if (candidate.held?.suspect === true) {
    return 3;
  }
  if (candidate.draining !== undefined) {
    return 2;
  }
  if (candidate.held !== undefined) {
    return 0;
  }
  return candidate.state === 'lost' || candidate.state === 'backoff' ? 2 : 1;
}
