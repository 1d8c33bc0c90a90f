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
  /** The id of the token that makes the peer a member. */
  token?: string;
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
  /** The id of the token that makes the source a member. */
  token?: string;
  /** Of a circuit over two relays of a cluster. */
  forwarded?: ForwardMark;
}

/** The other relay of a circuit over two, and what this one is: `entry` has the source, `exit` the target. */
export interface ForwardMark {
  readonly relay: string;
  readonly as: 'entry' | 'exit';
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
  /** `leaving`: clients that have been told of a drain and have not moved yet. `forwarded`: circuits over two relays, to another one and from another one. */
  counts(): RelayCounts & { classes: Record<'public' | 'member', RelayCounts>; leaving: number; forwarded: { out: number; in: number } };
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

/** What a node has at one moment. */
export type SampleGauge =
  | 'publicReservations' | 'memberReservations' | 'publicCircuits' | 'memberCircuits' | 'bufferedBytes'
  | 'connections' | 'heldReservations' | 'openTunnels' | 'delayP99Ms' | 'delayMaxMs' | 'rssBytes' | 'heapBytes';

/** What is counted from the node's start. */
export type SampleTotal = 'relayedBytes' | 'tunnelSentBytes' | 'tunnelReceivedBytes';

/** One moment of a node, for plots over time. What its role has not is left out. */
export interface Sample {
  readonly gauges: Readonly<Partial<Record<SampleGauge, number>>>;
  readonly totals: Readonly<Partial<Record<SampleTotal, number>>>;
  /** Requests and connections refused since the start, by the limit that refused them. */
  readonly refusals: Readonly<Record<string, number>>;
}

/** One key of the configuration in force. */
export interface ConfigRow {
  key: string;
  /** As a person writes it; `null` where nothing is set. Secrets are file names, and passwords in URLs are left out. */
  value: unknown;
  /** Who set it: default, profile, file and line, environment variable or flag. */
  origin: string;
  /** Whether a reload applies a change at once, or a restart is needed. */
  applies: 'live' | 'restart';
  /** What a restart would bring: a reload has read it and could not apply it. */
  afterRestart?: unknown;
}

/** What became of one address that a peer was asked to dial; `refused`: the peer does not dial it. */
export interface DialBackRow {
  addr: string;
  /** Not among what this node announces: its port, under the IP address that the peer sees. */
  guessed: boolean;
  outcome: 'reachable' | 'unreachable' | 'refused' | 'failed';
  /** Of `failed`. */
  reason?: string;
}

/** What a relay of ours says of itself and of this node. */
export interface OtherRelay {
  region: string | null;
  /** Relays that it names to its clients: full addresses. */
  names: string[];
  /** How far its wall clock is ahead of ours, in milliseconds: at most a minute too little, for its statements are that old. */
  clockAheadMs: number;
}

/** This node as a peer that was asked sees it, and the peer. */
export interface OutsideRow {
  /** As it was asked for: a full address. */
  addr: string;
  peer: string;
  /** Why it could not be asked at all. */
  error?: string;
  /** The IP address that this node's connection comes from. */
  seenAt: string | null;
  dialBacks: DialBackRow[];
  /** `null` for a peer that is no relay of ours. */
  relay: OtherRelay | null;
}

/** How a client came back from the loss of its best relay. */
export interface RehearsalResult {
  /** The relay that was dropped. */
  dropped: string;
  /** Reservations that worked before, and how many of them were left at once. */
  heldBefore: number;
  heldAfter: number;
  /** Until there were as many again. */
  recoveredMs: number;
  /** Who took the place; the same relay where there is no other. */
  tookOver: string;
}

/** One relay of the cluster, as the others know it. */
export interface ClusterRelayRow {
  peer: string;
  /** This node. */
  self: boolean;
  state: 'ready' | 'unready' | 'draining';
  /** Full addresses for clients. */
  addrs: string[];
  region: string | null;
  version: string;
  /** Whether this node has an authenticated connection to it; `null` for itself. */
  linked: boolean | null;
  rttMs: number | null;
  /** How far its clock is ahead of this node's; `null` for itself, without a connection, and where it does not tell its time. */
  clockAheadMs: number | null;
  /** How wrong that may be at most: half of a round trip. */
  clockErrorMs: number | null;
  /** Milliseconds since its last record came. */
  heardMsAgo: number;
  reservations: { count: number; max: number };
  circuits: { count: number; max: number };
  bytesRelayed: number;
  /** Whether its limits over the cluster and its realm are those of this node: a fault in the configuration where not. */
  agrees: boolean;
  /** Short names of the cluster's secrets that it has, the one that it speaks with first: two while the secret is being changed. */
  secrets: string[];
}

/** One limit that is counted over the cluster, for one key, as this node knows it. */
export interface ClusterLimitRow {
  limit: string;
  key: string;
  /** What this node holds, or has used in the window. */
  own: number;
  /** Over the cluster; `null` where this node does not know it now. */
  total: number | null;
  maximum: number;
  /** What this node may hold of it without asking again; `null` where the store counts each. */
  share: number | null;
}

export interface ClusterView {
  cluster: string;
  backend: 'gossip' | 'redis' | 'etcd';
  /** Why the store or the other relays do not answer; `null` when all is well. */
  problem: string | null;
  relays: ClusterRelayRow[];
  totals: { relays: number; reservations: { count: number; max: number }; circuits: { count: number; max: number }; bytesRelayed: number };
  /** The fullest ones. */
  limits: ClusterLimitRow[];
  /** Circuits that came in here for a peer of another relay's, and that came from another relay for a peer of ours. */
  forwarded: { out: number; in: number };
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
  sample(): Promise<Sample>;
  config(): ConfigRow[];
  /** @throws RelaydError NO_CLUSTER where this node is in none */
  cluster(): ClusterView;
  /** What is wrong while the node serves all the same. */
  readinessWarnings(): string[];
  /** The readiness check: real work through the node itself. Empty when all is well. */
  readinessProblems(signal: AbortSignal): Promise<string[]>;
  ping(target: string, options: { count: number; fresh: boolean; signal: AbortSignal }): Promise<PingResult>;
  /** Starts a drain; the process ends when it is done. */
  drain(): void;
  /** Keys that took effect, and keys that would with a restart. */
  reload(): Promise<{ changed: string[]; restartNeeded: string[] }>;
  /** Asks peers, by their full addresses, whether they reach this node. */
  checkReachability(ask: readonly string[], signal: AbortSignal): Promise<OutsideRow[]>;
  /** Drops the best relay and waits until as many are held as before. @throws RelaydError BAD_REQUEST where none is held, TIMEOUT */
  rehearseFailover(signal: AbortSignal): Promise<RehearsalResult>;
}
