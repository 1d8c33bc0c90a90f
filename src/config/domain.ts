import type { Acknowledgement } from '../lib/acknowledgements.ts';
import type { Quota } from '../lib/cluster/relay-cluster.ts';
import type { LogFormat, LogLevel } from '../lib/logger.ts';
import type { Rate } from '../lib/token-bucket.ts';

/**
 * The configuration as the program uses it: every value parsed, with its unit in its name, paths
 * absolute, frozen before anything starts. `Infinity` is "unlimited"; an unlimited rate is `undefined`.
 * Keys and order are those of the YAML file; the schema beside this file documents each.
 */
export interface RelaydConfig {
  readonly profile: Profile;
  readonly role: Role;
  readonly dataDir: string;
  readonly identity: { readonly keyFile: string };
  readonly network: NetworkConfig;
  readonly connections: ConnectionsConfig;
  readonly discovery: {
    /** Relays advertise themselves to clients of the same network and realm. */
    readonly network: string;
    readonly bootstrap: readonly string[];
    readonly dht: { readonly enabled: boolean; readonly protocol: string; readonly mode: 'auto' | 'client' | 'server'; readonly advertise: boolean };
    readonly mdns: boolean;
    /** For /dnsaddr; none: the system's. */
    readonly dnsServers: readonly HostPort[];
  };
  readonly relay: RelayConfig;
  readonly client: ClientConfig;
  readonly tunnels: { readonly expose: readonly ExposeConfig[]; readonly forward: readonly ForwardConfig[] };
  readonly realm: RealmConfig;
  readonly coordination: CoordinationConfig;
  readonly admin: AdminConfig;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat };
  /** Without an endpoint nothing is traced; `sampleRatio` is 0 to 1. */
  readonly tracing: { readonly endpoint: string | undefined; readonly sampleRatio: number };
  readonly drain: { readonly timeoutMs: number };
  readonly doctor: { readonly acknowledge: readonly Acknowledgement[] };
}

export type Profile = 'tier1' | 'tier2' | 'tier3';
export type Role = 'relay' | 'client' | 'both';

export interface NetworkConfig {
  readonly listen: readonly string[];
  /** For WebSocket over TLS: both or none. */
  readonly websocket: { readonly certFile: string | undefined; readonly keyFile: string | undefined };
  readonly announce: readonly string[];
  readonly allowPrivate: boolean;
  readonly swarmKeyFile: string | undefined;
  readonly security: readonly ('tls' | 'noise')[];
  readonly dataPath: 'native' | 'stock';
}

export interface ConnectionsConfig {
  readonly low: number;
  readonly high: number;
  readonly max: number;
  readonly pendingPerPrefix: number;
  readonly inboundPerPrefix: Rate | undefined;
}

export interface RelayConfig {
  readonly open: boolean;
  readonly limits: ClassLimits;
  readonly memberLimits: ClassLimits;
  readonly prefixes: PrefixesConfig;
  /** An operator's MaxMind database of AS numbers; without it no per-ASN limit applies. */
  readonly asnFile: string | undefined;
  /** Above this lateness of the event loop, new work is refused. */
  readonly maxEventLoopDelayMs: number;
  /** The operator's word for where the relay is. */
  readonly region: string | undefined;
  /** Full multiaddrs of relays to name to clients. */
  readonly alternatives: readonly string[];
  readonly access: { readonly reserve: AccessList; readonly connect: AccessList; readonly target: AccessList };
}

/** Prefix lengths: one for IPv4; for IPv6 every length is counted, the tightest decides. */
export interface PrefixesConfig {
  readonly ipv4: number;
  readonly ipv6: readonly number[];
  /** CIDRs to which no per-prefix limit applies. */
  readonly exempt: readonly string[];
}

/** The limits of one class of users (anyone, or realm members), each class with pools of its own. */
export interface ClassLimits {
  readonly reservations: { readonly max: number; readonly perPrefix: number; readonly perAsn: number; readonly ttlMs: number };
  readonly circuits: {
    readonly max: number;
    readonly perSource: number;
    readonly perTarget: number;
    readonly pending: number;
    readonly durationMs: number;
    readonly bytesPerDirection: number;
    readonly idleMs: number;
  };
  readonly rates: {
    readonly reservePerPeer: Rate | undefined;
    readonly reservePerPrefix: Rate | undefined;
    readonly connectPerPeer: Rate | undefined;
    readonly connectPerPrefix: Rate | undefined;
  };
  /** Bytes per second. */
  readonly bandwidth: { readonly perCircuit: number; readonly perPeer: number; readonly total: number };
  /** Bytes held between a sender and a receiver. */
  readonly memory: { readonly perDirection: number; readonly total: number };
}

/** Peer ids and CIDRs; an empty `allow` allows anyone whom `deny` does not name. */
export interface AccessList {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

export interface ClientConfig {
  /** Full multiaddrs, and /dnsaddr names that stand for several. */
  readonly relays: readonly string[];
  readonly desired: number;
  readonly when: 'auto' | 'always';
  /** Regions. */
  readonly prefer: readonly string[];
  readonly avoid: readonly string[];
  readonly holePunch: boolean;
  readonly probe: { readonly intervalMs: number; readonly timeoutMs: number };
}

export interface RealmConfig {
  readonly name: string | undefined;
  readonly members: readonly string[];
  /** The key that signs tokens, `ed25519:` and base64url. */
  readonly authority: string | undefined;
  readonly tokenFile: string | undefined;
  readonly revocationFile: string;
}

/** What relays of one cluster share (Tier 3). */
export interface CoordinationConfig {
  readonly backend: 'none' | 'gossip' | 'redis' | 'etcd';
  /** Key prefix and topic. */
  readonly cluster: string;
  /** Who holds it is a relay of the cluster: 64 hex digits. */
  readonly secretFile: string | undefined;
  /** Full addresses of other relays. */
  readonly relays: readonly string[];
  /** Reservations name only this relay's own addresses, or those of the others too. */
  readonly reservationAddrs: 'own' | 'cluster';
  /** A store on another machine without TLS or without a password is accepted. */
  readonly allowPlaintext: boolean;
  readonly redis: RedisConfig;
  readonly etcd: EtcdConfig;
  /** Anyone, over all relays. */
  readonly limits: ClusterLimitsConfig & { readonly quotas: { readonly peer: Quota | undefined; readonly prefix: Quota | undefined; readonly realm: Quota | undefined; readonly token: Quota | undefined } };
  /** Members of the realm, over all relays. */
  readonly memberLimits: ClusterLimitsConfig & { readonly reservations: { readonly perToken: number }; readonly circuits: { readonly perToken: number } };
}

export interface RedisConfig {
  /** `redis://` or `rediss://`; one server, or any node of a Redis Cluster. */
  readonly url: string;
  /** More nodes of a Redis Cluster; with any, the cluster protocol is spoken. */
  readonly nodes: readonly string[];
  /** With any, `url` says only scheme, user and database: the primary is asked for. */
  readonly sentinels: readonly HostPort[];
  /** The name under which the sentinels know the primary. */
  readonly sentinelPrimary: string;
  /** At the sentinels, where they have users of their own. */
  readonly sentinelUsername: string | undefined;
  readonly sentinelPasswordFile: string | undefined;
  readonly username: string | undefined;
  readonly passwordFile: string | undefined;
  readonly tls: StoreTlsConfig;
}

export interface EtcdConfig {
  readonly endpoints: readonly string[];
  readonly username: string | undefined;
  readonly passwordFile: string | undefined;
  readonly tls: StoreTlsConfig;
}

/** PEM files: whom to trust in place of the system's authorities, and a client's own certificate. */
export interface StoreTlsConfig {
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** `Infinity`, and `undefined` for a rate: no limit over the cluster. */
export interface ClusterLimitsConfig {
  readonly reservations: { readonly max: number; readonly perPeer: number; readonly perPrefix: number; readonly perAsn: number };
  readonly circuits: { readonly max: number; readonly perSource: number; readonly perTarget: number; readonly perPrefix: number };
  readonly rates: ClassLimits['rates'];
}

/** A TCP service of this machine that named peers may reach. */
export interface ExposeConfig {
  readonly name: string;
  readonly to: HostPort;
  /** Peer ids; nobody else may connect. */
  readonly allow: readonly string[];
}

/** A local TCP port whose connections go to a service that `peer` exposes under `name`. */
export interface ForwardConfig {
  readonly listen: HostPort;
  readonly peer: string;
  readonly name: string;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface AdminConfig {
  /** A TCP address, or the absolute path of a unix socket. */
  readonly listen: HostPort | { readonly socketPath: string };
  readonly tokenFile: string | undefined;
}
