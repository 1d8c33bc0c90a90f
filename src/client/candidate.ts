import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { CandidateState, RelaySource } from '../lib/contracts.ts';
import { Availability } from './availability.ts';
import type { Draining } from './drains.ts';
import type { HeldRelay } from './held-relay.ts';
import type { StandbyRelay } from './standby-relay.ts';
import type { HeardStatement } from './statements.ts';

/** TCP's share of a new sample in the smoothed round-trip time (RFC 6298), for samples as close as a held relay's probes. */
const RTT_SHARE = 1 / 8;
/** Of a shorter one: what is busy on the way, at either end too, only ever adds to a round trip, so the shorter is the truer. */
const SHORTER_RTT_SHARE = 1 / 2;
/** An older time counts less, as if it had been sampled this often since: what was true ten minutes ago is hardly a sample. */
const RTT_SAMPLE_MS = 5_000;

/** A relay that this node may use, and what is known of it. The supervisor and its parts change it; all else reads. */
export class Candidate {
  readonly peer: PeerId;
  readonly id: string;
  addrs: Multiaddr[];
  /** The strongest word that there is of it. */
  source: RelaySource;
  /** Still named by the config or by discovery; one that is not is used until another can take its place. */
  listed = true;
  state: CandidateState = 'candidate';
  /** What last went wrong; `undefined` while all is well. */
  fault: string | undefined;
  /** Why it refuses this node for what it is, for a person. */
  denial: string | undefined;
  /** Failures in a row. */
  failures = 0;
  readonly history = new Availability();
  rttMs: number | undefined;
  /** When it was last measured, on the monotonic clock. */
  measuredAt = -Infinity;
  /** Not tried before this, on the monotonic clock. */
  retryAt = 0;
  /** The relay's own word for that: believed whatever happens elsewhere. */
  notBefore = 0;
  /** When the attempt that is under way began, on the monotonic clock. */
  attemptAt: number | undefined;
  held: HeldRelay | undefined;
  standby: StandbyRelay | undefined;
  /** It is being connected to be held in reserve. */
  warming = false;
  /** Its connection is being closed, with the reservation that was let go: until then it is no reserve, for it would keep that place. */
  parting = false;
  /** When a reservation that had served was lost, on the monotonic clock. */
  lostAt = -Infinity;
  supportKnown = false;
  /** A connection was made to ask or to measure it; nothing needs it unless the relay is chosen. */
  lent = false;
  statement: HeardStatement | undefined;
  /** When it is to be asked for its statement, on the monotonic clock. */
  statementDueAt = 0;
  draining: Draining | undefined;
  /** When its going last ended the waits of other relays, on the monotonic clock. */
  alarmedAt = -Infinity;

  constructor(peer: PeerId, addrs: Multiaddr[], source: RelaySource) {
    this.peer = peer;
    this.id = peer.toString();
    this.addrs = addrs;
    this.source = source;
  }

  measured(rttMs: number, nowMs: number): void {
    const least = rttMs < (this.rttMs ?? 0) ? SHORTER_RTT_SHARE : RTT_SHARE;
    const share = 1 - (1 - least) ** Math.max(1, (nowMs - this.measuredAt) / RTT_SAMPLE_MS);
    this.rttMs = this.rttMs === undefined ? rttMs : this.rttMs + (rttMs - this.rttMs) * share;
    this.measuredAt = nowMs;
  }

  served(nowMs: number): void {
    this.failures = 0;
    this.fault = undefined;
    this.denial = undefined;
    this.history.served(nowMs);
  }

  failed(fault: string, nowMs: number): void {
    this.failures += 1;
    this.fault = fault;
    this.history.failed(nowMs);
  }

  /** Whether `connection` is what its reservation lives on. */
  holdsOver(connection: Connection): boolean {
    return this.held?.connection === connection;
  }

  /** It is held, in reserve, or about to be. */
  get inUse(): boolean {
    return this.held !== undefined || this.standby !== undefined || this.attemptAt !== undefined || this.warming;
  }

  /** Its connection is not ours to close: it is in use, or it drains, and says by closing it that it has gone. */
  get keepsConnection(): boolean {
    return this.inUse || this.draining !== undefined;
  }

  /** A reservation that can be counted on: its relay answers, will stay, and renews. */
  get isSolid(): boolean {
    return this.held !== undefined && !this.held.suspect && !this.held.refused && this.draining === undefined;
  }
}
