import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';

/**
 * What one room of the program may ask of another. Siblings (relay, client, tunnel, admin) know only
 * these shapes; `node/` hands them the real thing. The row types are also what the admin API answers with.
 */

export type NodeState = 'starting' | 'ready' | 'draining';

/** Opens connections to peers: an open one, a direct one, or a circuit, whichever is first. */
export interface Dialler {
  /**
   * @param target a peer id, or a full multiaddr that ends in one
   * @throws RelaydError NO_ADDRESS, DIAL_FAILED, TIMEOUT
   */
  dial(target: string, options: DialOptions): Promise<DialResult>;
}

export interface DialOptions {
  signal: AbortSignal;
  /** Closes what is open to the peer first, so that a new path is found and timed. */
  fresh?: boolean;
}

export interface DialResult {
  connection: Connection;
  path: 'direct' | 'relay';
  /** The relay's peer id when `path` is `relay`. */
  via: string | undefined;
  dialMs: number;
}

/** Of two peers that punch a hole, the one whose circuit it was is the client of what then runs over the connection (DCUtR). */
export type PunchRole = 'client' | 'server';

/** Where the peer at the other end of a connection of ours sees us, as it told by identify. */
export interface Observation {
  readonly connection: Connection;
  readonly seenAt: Multiaddr;
}

/** Opens this node's end of direct connections through NATs, over one transport. */
export interface HolePuncher {
  readonly transport: 'tcp' | 'quic';
  /** Ends for one attempt, one for each address family; none where nothing is known of how others see this node. */
  open(role: PunchRole, observations: readonly Observation[]): Promise<Hole[]>;
}

/** This node's end of one attempt; whoever opened it closes it. */
export interface Hole {
  /** Where the peer has to come to. */
  readonly seenAt: Multiaddr;
  /**
   * Connects to `peer` at any of `addrs`, from the address that the peer was told.
   *
   * @throws Error when none worked before `signal` aborted
   */
  connect(peer: PeerId, addrs: readonly Multiaddr[], signal: AbortSignal): Promise<Connection>;
  close(): void;
}

export type UpgradeState = 'none' | 'trying' | 'direct' | 'failed';

/** What became of a relayed connection's replacement by a direct one. */
export interface Upgrade {
  readonly state: UpgradeState;
  /** Why there is none. */
  readonly reason?: string;
}

export interface ReservationRow {
  peer: string;
  class: 'public' | 'member';
  addr: string;
  /** ISO 8601, UTC. */
  expiresAt: string;
  openedAt: string;
  renewals: number;
  circuits: number;
}

export interface CircuitRow {
  id: number;
  class: 'public' | 'member';
  source: string;
  target: string;
  openedAt: string;
  bytesToTarget: number;
  bytesToSource: number;
  bufferedBytes: number;
  /** Milliseconds since a byte last moved. */
  idleMs: number;
}

export interface PeerRow {
  peer: string;
  addr: string;
  direction: 'inbound' | 'outbound';
  path: 'direct' | 'relay';
  /** The relay's peer id when `path` is `relay`. */
  via?: string;
  /** Of a relayed connection: whether a direct one takes its place. */
  upgrade?: UpgradeState;
  upgradeReason?: string;
  openedAt: string;
  streams: number;
  agent: string | undefined;
  reserved: boolean;
}

export type CandidateState = 'candidate' | 'connecting' | 'reserved' | 'standby' | 'backoff' | 'lost';

/** Who told of a relay; the strongest word that there is: `manual` before `bootstrap` before what was found. */
export type RelaySource = 'manual' | 'bootstrap' | 'dht' | 'mdns' | 'relay' | 'cache';

/** A peer that was found and may be a relay: whoever uses it asks it first. */
export interface FoundPeer {
  readonly peer: PeerId;
  /** Each ends in the peer's id. */
  readonly addrs: readonly Multiaddr[];
}

/** A relay that has served this node: what is kept on disk from one start to the next. */
export interface KnownRelay extends FoundPeer {
  /** Unix milliseconds. */
  readonly lastServedAtWall: number;
  /** 1 for one that was always there when asked, 0 for one that never was. */
  readonly availability: number;
}

/** Whether peers reach this node without a relay, as others have found by dialling it; `unknown` as long as nobody has said. */
export type Reachability = 'public' | 'private' | 'unknown';

/** What is known of it. */
export interface ReachabilityView {
  readonly value: Reachability;
  /** The addresses under which peers have reached this node. */
  readonly confirmed: readonly string[];
  /** Those under which they tried to, and did not. */
  readonly denied: readonly string[];
}

export interface CandidateRow {
  peer: string;
  addr: string;
  state: CandidateState;
  source: RelaySource;
  rttMs: number | null;
  expiresAt: string | null;
  failures: number;
  /** 1 for a relay that was always there when asked, 0 for one that never was; what happened hours ago counts little. */
  availability: number;
  /** As the relay publishes it. */
  region: string | null;
  /** The fullest of what the relay publishes of itself, 0 to 1; `null` when it publishes nothing. */
  load: number | null;
  /** What using it is expected to cost, in milliseconds: the lower, the better. */
  score: number;
  /** It has said that it will go. */
  draining: boolean;
  /** Why it is held, in reserve, or neither. */
  reason?: string;
  /** Seconds until the next attempt, when one is waited for. */
  retryInSeconds?: number;
}

/** The relay server's counts: what `status` shows, for one class or for all. */
export interface RelayCounts {
  reservations: { count: number; max: number };
  circuits: { count: number; max: number };
  bytesRelayed: number;
  bufferedBytes: number;
}

export interface RelayView {
  /** `leaving`: clients that have been told of a drain and have not moved yet. */
  counts(): RelayCounts & { classes: Record<'public' | 'member', RelayCounts>; leaving: number };
  reservations(): ReservationRow[];
  circuits(): CircuitRow[];
}

export interface ClientView {
  desired: number;
  held: number;
  circuitAddrs(): string[];
  candidates(): CandidateRow[];
}

export interface TunnelRow {
  kind: 'expose' | 'forward';
  name: string;
  /** Where it listens (forward) or connects to (expose). */
  local: string;
  /** The other side (forward), or who may connect (expose). */
  peers: string[];
  open: number;
  opened: number;
  refused: number;
  failed: number;
  lastError: string | null;
}

export interface TunnelView {
  tunnels(): TunnelRow[];
}

export interface PingResult {
  peer: string;
  path: 'direct' | 'relay' | null;
  via: string | null;
  dialMs: number | null;
  rttMs: number[];
  /** Whether a direct connection takes the circuit's place; `none` also where there was no circuit. */
  upgrade?: UpgradeState;
  upgradeReason?: string;
  error?: string;
}

/** Everything that the admin server shows and does; `node/` implements it. */
export interface NodeView {
  peerId(): PeerId;
  status(): Record<string, unknown>;
  state(): NodeState;
  reservations(): ReservationRow[];
  circuits(): CircuitRow[];
  peers(): Promise<PeerRow[]>;
  relays(): CandidateRow[];
  tunnels(): TunnelRow[];
  metrics(): Promise<string>;
  /** The readiness check: real work through the node itself. Empty when all is well. */
  readinessProblems(signal: AbortSignal): Promise<string[]>;
  ping(target: string, options: { count: number; fresh: boolean; signal: AbortSignal }): Promise<PingResult>;
  /** Starts a drain; the process ends when it is done. */
  drain(): void;
  /** Keys that took effect, and keys that would with a restart. */
  reload(): Promise<{ changed: string[]; restartNeeded: string[] }>;
}
