import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { CandidateRow, CandidateState } from '../lib/contracts.ts';
import type { HeldRelay } from './held-relay.ts';

/** TCP's share of a new sample in the smoothed round-trip time (RFC 6298). */
const RTT_SHARE = 1 / 8;
/** Share of the latest attempt or loss in the availability. */
const AVAILABILITY_SHARE = 1 / 4;

export type CandidateSource = CandidateRow['source'];

/** A relay that this node may use, and what is known of it. The supervisor changes it; all else reads. */
export class Candidate {
  readonly peer: PeerId;
  readonly id: string;
  addrs: Multiaddr[];
  source: CandidateSource;
  /** Still named by the config or by discovery; one that is not is used until another can take its place. */
  listed = true;
  state: CandidateState = 'candidate';
  reason: string | undefined;
  /** Failures in a row. */
  failures = 0;
  /** 1 for a relay that has always been there when asked, 0 for one that never was. */
  availability = 1;
  rttMs: number | undefined;
  /** Not tried before this, on the monotonic clock. */
  retryAt = 0;
  /** When the attempt that is under way began, on the monotonic clock. */
  attemptAt: number | undefined;
  held: HeldRelay | undefined;
  supportKnown = false;

  constructor(peer: PeerId, addrs: Multiaddr[], source: CandidateSource) {
    this.peer = peer;
    this.id = peer.toString();
    this.addrs = addrs;
    this.source = source;
  }

  measured(rttMs: number): void {
    this.rttMs = this.rttMs === undefined ? rttMs : this.rttMs + (rttMs - this.rttMs) * RTT_SHARE;
  }

  served(): void {
    this.failures = 0;
    this.reason = undefined;
    this.availability += (1 - this.availability) * AVAILABILITY_SHARE;
  }

  failed(reason: string): void {
    this.failures += 1;
    this.reason = reason;
    this.availability -= this.availability * AVAILABILITY_SHARE;
  }

  /** Whether `connection` is what its reservation lives on. */
  holdsOver(connection: Connection): boolean {
    return this.held?.connection === connection;
  }

  row(nowMs: number): CandidateRow {
    const waiting = this.state === 'backoff' || this.state === 'lost' ? Math.max(0, this.retryAt - nowMs) : undefined;
    return {
      peer: this.id,
      addr: (this.held?.connection.remoteAddr ?? this.addrs[0])?.toString() ?? '',
      state: this.held !== undefined && this.held.suspect ? 'lost' : this.state,
      source: this.source,
      rttMs: this.rttMs === undefined ? null : Math.round(this.rttMs * 1000) / 1000,
      expiresAt: this.held === undefined ? null : new Date(this.held.reservation.expiresAtWall).toISOString(),
      failures: this.failures,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      ...(waiting === undefined ? {} : { retryInSeconds: Math.ceil(waiting / 1000) }),
    };
  }
}
