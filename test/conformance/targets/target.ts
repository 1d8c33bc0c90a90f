import type { PeerId } from '@libp2p/interface';

export type TargetKind = 'ours' | 'stock' | 'go';

/** What a case asks of a relay, in words that none of the relays owns. Unset: see `DEFAULTS`. */
export interface RelayOptions {
  ttlSeconds?: number;
  /** Of a circuit. */
  durationSeconds?: number | 'unlimited';
  bytesPerDirection?: number | 'unlimited';
  maxReservations?: number;
  reservationsPerPrefix?: number;
  /** RESERVE requests of one peer in an hour. */
  reservesPerHour?: number;
  circuitsPerSource?: number;
  circuitsPerTarget?: number;
  maxCircuits?: number;
  /** Peer ids. */
  deny?: { reserve?: string[]; connect?: string[]; target?: string[] };
  announce?: string[];
  /** When connections are trimmed, and how far. */
  connections?: { low: number; high: number };
  /** Full address of another relay through which this one can be reached as well. */
  reachableThrough?: string;
}

/** Room enough for every case that does not ask for less; limits as the field's defaults. */
export const DEFAULTS = {
  ttlSeconds: 3_600,
  durationSeconds: 120,
  bytesPerDirection: 131_072,
  maxReservations: 64,
} as const satisfies RelayOptions;

export interface RelayTarget {
  readonly peerId: PeerId;
  /** A full address on loopback; another one after `restart`. */
  readonly addr: string;
  /** Stops the service and starts it again: the same node where it can, else a new process with the same identity. */
  restart(): Promise<void>;
  /** What the relay says of its own state; a part that it cannot tell is absent. */
  insight(): Promise<Insight>;
  stop(): Promise<void>;
}

export interface Insight {
  reservations?: number;
  circuits?: number;
  /** Open HOP and STOP streams on all connections. */
  streams?: number;
  /** Peer id to the stored expiry, Unix seconds. */
  expiries?: Map<string, number>;
}

export interface ClientOptions {
  /** Full addresses of relays to reserve on. */
  relays: string[];
  /** Its connection gater refuses relayed connections. */
  refuseRelayed?: boolean;
}

export interface ClientTarget {
  readonly peerId: PeerId;
  /** Peer ids of the relays on which it holds a reservation that it uses. */
  holds(): Promise<string[]>;
  stop(): Promise<void>;
}

/** The target has no such option: the behaviour cannot be had of it, which is a failure with this reason. */
export class NotOffered extends Error {
  constructor(what: string) {
    super(`not offered: ${what}`);
    this.name = 'NotOffered';
  }
}
