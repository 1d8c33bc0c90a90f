import type { Operation } from '../../support/cluster/history.ts';

/** What the suite and the process of a cluster's peers say to each other, as JSON lines. */

/** Peers that reserve at a relay, stay for a while, and go: over and over, at all relays by chance. */
export interface LoadOrder {
  /** Full addresses by peer id of the relay. */
  readonly relays: Readonly<Record<string, string>>;
  /** The number of the first of them. */
  readonly first: number;
  /** How many do so at the same time. */
  readonly width: number;
  /** How long each stays, at least and at most. */
  readonly stayMs: readonly [number, number];
}

/** Peers that try to reserve once each. */
export interface AttemptsOrder {
  readonly relays: Readonly<Record<string, string>>;
  readonly first: number;
  readonly count: number;
  /** At the same time. */
  readonly width: number;
}

export interface CircuitOrder {
  /** Numbers of peers. */
  readonly from: number;
  readonly to: number;
  /** The address of the relay to go through. */
  readonly through: string;
}

export interface CircuitReport extends CircuitOrder {
  readonly open: boolean;
  /** The longest time that an echo took, or has not come for. */
  readonly longestMs: number;
}

/** A peer that tries whom it reaches through each relay. */
export interface ProbeOrder {
  /** Its number. */
  readonly from: number;
  /** Peer ids. */
  readonly targets: readonly string[];
  /** Full addresses by peer id of the relay. */
  readonly relays: Readonly<Record<string, string>>;
}

export interface ProbeReport {
  /** Targets by the relay that they were reached through. */
  readonly reached: Readonly<Record<string, readonly string[]>>;
}

export interface Admission {
  /** When the reply came, and how long after the request. */
  readonly atMs: number;
  readonly tookMs: number;
}

export interface LoadReport {
  readonly history: Operation[];
  /** Of every request that was answered. */
  readonly admissions: Admission[];
}
