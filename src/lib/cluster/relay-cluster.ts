import type { PeerId, Stream } from '@libp2p/interface';
import type { Rate } from '../token-bucket.ts';

/**
 * What the relay server asks of the cluster that it belongs to (Tier 3). The relay knows only this; what is behind it (gossip, Redis,
 * etcd) and whether that answers now is the coordination room's concern.
 */
export interface RelayCluster {
  /**
   * Takes all of `claims` over the whole cluster, or nothing. At most one round trip to the store. When the store is away, this relay's part of
   * each limit decides, at once.
   *
   * @throws RelaydError CLOSED when `signal` aborts; nothing is taken then
   */
  admit(claims: ClusterClaims, signal: AbortSignal): Promise<ClusterVerdict>;
  /** This relay holds a reservation of `peer`'s, or has renewed it: all relays are to know. Told in the background, until it is known or over. */
  holds(peer: PeerId, ttlMs: number): void;
  /** It does not hold one any more. */
  letGo(peer: PeerId): void;
  /** Other relays that hold a reservation of `target`'s, likeliest first; never throws: none is known then. At most one round trip to the store. */
  holders(target: PeerId, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * A stream of `protocol` to another relay of the cluster, over the connection that is kept to it.
   *
   * @throws RelaydError CLOSED, DIAL_FAILED, TIMEOUT
   */
  openStream(relay: string, protocol: string, signal: AbortSignal): Promise<Stream>;
  /** Whether `peer` has shown on an open connection that it is a relay of this cluster. */
  isRelay(peer: PeerId): boolean;
  /** Bytes have been relayed that count for these quotas. */
  moved(quotas: readonly QuotaClaim[], bytes: number): void;
  /** Hears the key of each quota that is used up, once a window: what uses it is to end. The result ends that. */
  onUsedUp(listener: (key: string) => void): () => void;
}

/** The limits that are counted over a cluster: keys of `coordination.limits` and `coordination.memberLimits`. The set is closed: refusals and metrics name them. */
export const CLUSTER_LIMITS = [
  'reservations.max',
  'reservations.perPeer',
  'reservations.perPrefix',
  'reservations.perAsn',
  'reservations.perToken',
  'circuits.max',
  'circuits.perSource',
  'circuits.perTarget',
  'circuits.perPrefix',
  'circuits.perToken',
  'rates.reservePerPeer',
  'rates.reservePerPrefix',
  'rates.connectPerPeer',
  'rates.connectPerPrefix',
  'quotas.peer',
  'quotas.prefix',
  'quotas.realm',
  'quotas.token',
] as const;
export type ClusterLimit = (typeof CLUSTER_LIMITS)[number];

/** What one request needs. Keys are texts of at most {@link MAX_KEY_BYTES}: `public/reservations.perPrefix/192.0.2.0/24`. */
export interface ClusterClaims {
  /** Places, one of each, until they are given back. */
  readonly holds: readonly HoldClaim[];
  /** Tokens, one of each bucket; spent even when the request fails later. */
  readonly rates: readonly RateClaim[];
  /** Must not be used up; nothing is taken. */
  readonly quotas: readonly QuotaClaim[];
}

export interface HoldClaim {
  readonly limit: ClusterLimit;
  readonly key: string;
  readonly maximum: number;
}

export interface RateClaim {
  readonly limit: ClusterLimit;
  readonly key: string;
  readonly rate: Rate;
}

export interface QuotaClaim {
  readonly limit: ClusterLimit;
  readonly key: string;
  readonly quota: Quota;
}

/** Bytes that may be relayed in a day or month of UTC. */
export interface Quota {
  readonly bytes: number;
  readonly per: 'd' | 'month';
}

export type ClusterVerdict = { readonly ok: true; readonly permit: ClusterPermit } | ({ readonly ok: false } & ClusterRefusal);

/** The places that were taken. */
export interface ClusterPermit {
  /** Gives back what is left of them; may be repeated. */
  release(): void;
  /** Gives back those of these keys and no others: what holds them has changed and needs them no more. May be repeated. */
  releaseOnly(keys: readonly string[]): void;
}

export interface ClusterRefusal {
  readonly limit: ClusterLimit;
  readonly current: number;
  readonly maximum: number;
  readonly retryAfterMs?: number;
}

export const MAX_KEY_BYTES = 256;
