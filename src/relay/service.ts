import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Registry } from 'prom-client';
import type { RelayConfig } from '../config/domain.ts';
import { isRelayed } from '../lib/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import type { RelayCluster } from '../lib/cluster/relay-cluster.ts';
import { HOP_PROTOCOL } from '../lib/circuit/protocol.ts';
import type { CircuitRow, RelayCounts, RelayView, ReservationRow } from '../lib/contracts.ts';
import type { DirectoryEndpoint } from '../lib/directory/endpoint.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import type { RequestTracer } from '../lib/tracing/request-tracer.ts';
import type { TokenVerifier } from '../lib/membership/verifier.ts';
import { Alternatives } from './alternatives.ts';
import { openAsnDatabase } from './asn.ts';
import { USER_CLASSES } from './classes.ts';
import type { LimitClass, UserClass } from './classes.ts';
import type { RelayContext } from './context.ts';
import { freshContext } from './fresh-context.ts';
import { GlobalLimits } from './global/global-limits.ts';
import type { ClusterTerms } from './global/terms.ts';
import { MAX_TRIES } from './forwarding/entry.ts';
import { ForwardHandler } from './forwarding/handler.ts';
import { FORWARD_PROTOCOL } from './forwarding/messages.ts';
import { ForwardMetrics } from './forwarding/metrics.ts';
import { HopHandler } from './hop-handler.ts';
import { directConnection } from './host.ts';
import type { RelayHost } from './host.ts';
import { Journal } from './journal.ts';
import type { MembershipOptions } from './membership.ts';
import { RelayMetrics } from './metrics.ts';
import { OwnFacts } from './own-facts.ts';
import { OwnStatement } from './own-statement.ts';
import { Policy } from './policy.ts';
import { Publisher } from './publisher.ts';
import { circuitRow, reservationRow } from './rows.ts';
import { Tally } from './tally.ts';

export interface RelayServiceOptions {
  host: RelayHost;
  config: RelayConfig;
  realm: RealmTerms;
  verifier: TokenVerifier;
  /** Peers of the node's own readiness check; the set may change. */
  internalPeers: ReadonlySet<string>;
  /** How late the event loop runs, in milliseconds. */
  eventLoopDelayMs: () => number;
  addresses: { announced: boolean; allowPrivate: boolean };
  /** Of the cluster's other relays, full, to be named in reservations behind this relay's own. */
  clusterAddrs?: (() => readonly Multiaddr[]) | undefined;
  /** Where clients ask for this relay's statement; without it none is given. */
  directory: DirectoryEndpoint | undefined;
  /** Without it nothing is traced. */
  tracer?: RequestTracer | undefined;
  /** What this relay is one of; without it everything is decided here. */
  cluster?: RelayCluster | undefined;
  /** The limits that are counted over the cluster. */
  clusterLimits?: ClusterTerms | undefined;
  /** Of this program, for the statement. */
  version: string;
  clock: Clock;
  log: Logger;
  registry: Registry;
}

/** What the relay takes from the realm's configuration. */
type RealmTerms = MembershipOptions['realm'];

/** More streams of circuits on one connection than any limit of circuits allows. */
const MAX_CIRCUIT_STREAMS = 65_536;
const STREAM_LIMITS = { maxInboundStreams: MAX_CIRCUIT_STREAMS, maxOutboundStreams: MAX_CIRCUIT_STREAMS };

/**
 * The relay server: handles HOP on the host, owns reservations and circuits, enforces every limit.
 * Reservations end with the peer's last direct connection; circuits end with their streams.
 */
export class RelayService implements Part, RelayView {
  readonly name = 'relay';
  readonly #o: RelayServiceOptions;
  readonly #tally: Tally;
  readonly #metrics: RelayMetrics;
  readonly #forwards: ForwardMetrics;
  readonly #journal: Journal;
  #config: RelayConfig;
  #realm: RealmTerms;
  #clusterLimits: ClusterTerms | undefined;
  #context: RelayContext;
  #stopped = new AbortController();
  readonly #alternatives: Alternatives;
  readonly #publisher: Publisher | undefined;
  #drainEndsAt: number | undefined;

  constructor(options: RelayServiceOptions) {
    this.#o = options;
    this.#config = options.config;
    this.#realm = options.realm;
    this.#clusterLimits = options.clusterLimits;
    const inCluster = options.cluster !== undefined;
    this.#tally = new Tally({ context: () => this.#context, isOpen: () => this.#config.open });
    this.#metrics = new RelayMetrics(options.registry, this.#tally, inCluster);
    this.#forwards = new ForwardMetrics(inCluster ? [options.registry] : [], MAX_TRIES);
    this.#journal = new Journal({ ...options, cluster: options.cluster, metrics: this.#metrics });
    this.#alternatives = new Alternatives(options.host.peerId, options.config.alternatives);
    this.#context = this.#makeContext();
    this.#publisher = options.directory === undefined ? undefined : this.#makePublisher(options.directory);
  }

  /** @throws RelaydError FILE_UNREADABLE when the AS database cannot be read */
  async start(): Promise<void> {
    this.#stopped = new AbortController();
    this.#context = this.#makeContext();
    this.#context.memberships.start();
    this.#context.global?.start();
    this.#context.asn = await openAsnDatabase(this.#config.asnFile);
    this.#o.host.addEventListener('connection:close', this.#onConnectionClose);
    const handler = new HopHandler(this.#context);
    await this.#o.host.handle(HOP_PROTOCOL, handler.handle, { ...STREAM_LIMITS, runOnLimitedConnection: true });
    if (this.#o.cluster !== undefined) {
      await this.#o.host.handle(FORWARD_PROTOCOL, new ForwardHandler(this.#context, this.#o.cluster).handle, STREAM_LIMITS);
    }
    this.#drainEndsAt = undefined;
    this.#publisher?.start();
    this.#metrics.status.set(1);
  }

  async stop(): Promise<void> {
    this.#metrics.status.set(0);
    this.#context.draining = true;
    this.#publisher?.stop();
    await this.#o.host.unhandle(HOP_PROTOCOL);
    if (this.#o.cluster !== undefined) await this.#o.host.unhandle(FORWARD_PROTOCOL);
    this.#o.host.removeEventListener('connection:close', this.#onConnectionClose);
    this.#context.memberships.stop();
    this.#context.global?.stop();
    this.#stopped.abort(new Error('the relay is stopping'));
    this.#context.circuits.endAll('stopped');
    this.#context.reservations.clear();
  }

  /**
   * Admits nothing new, tells clients to move, and resolves when the circuits are over and every client that was told has moved or
   * has nowhere to go, or `signal` aborts.
   *
   * @param timeoutMs when that will be: what clients are told
   */
  async drain(signal: AbortSignal, timeoutMs: number): Promise<void> {
    this.#context.draining = true;
    this.#drainEndsAt = this.#o.clock.now() + timeoutMs;
    await Promise.all([this.#context.circuits.whenEmpty(signal), this.#publisher?.drain(signal)]);
  }

  /** Other relays that the node has found; they are named behind those of the configuration. */
  setAlternatives(addrs: readonly Multiaddr[]): void {
    this.#alternatives.setFound(addrs);
  }

  /** Resets every circuit: the node is stopping. */
  endCircuits(): void {
    this.#context.draining = true;
    this.#context.circuits.endAll('stopped');
  }

  /** Takes new limits, lists and members into force. What is held keeps what it was given. */
  update(config: RelayConfig, realm: RealmTerms, clusterLimits: ClusterTerms | undefined): void {
    this.#config = config;
    this.#realm = realm;
    this.#clusterLimits = clusterLimits;
    this.#alternatives.configure(config.alternatives);
    this.#context.policy = this.#makePolicy();
    if (this.#context.global !== undefined && clusterLimits !== undefined) this.#context.global.terms = clusterLimits;
    this.#context.maxEventLoopDelayMs = config.maxEventLoopDelayMs;
    USER_CLASSES.forEach((limitClass) => (this.#context.ledgers[limitClass].maximum = this.#context.policy.limits(limitClass).memory.total));
  }

  /** Peers whose connections must not be trimmed (conformance 12): those with a reservation or a circuit. */
  protectedPeers(): Set<string> {
    const peers = new Set(this.#context.reservations.all().map(({ peer }) => peer.toString()));
    for (const { source, target } of this.#context.circuits.all()) {
      peers.add(source.toString()).add(target.toString());
    }
    return peers;
  }

  counts(): RelayCounts & { classes: Record<UserClass, RelayCounts>; leaving: number; forwarded: { out: number; in: number } } {
    return { ...this.#tally.all(), leaving: this.#publisher?.leaving ?? 0, forwarded: this.#context.circuits.forwarded() };
  }

  reservations(): ReservationRow[] {
    const held = this.#context.reservations.all().filter((reservation) => reservation.class !== 'internal');
    const circuits = this.#context.circuits.perTarget();
    return held.map((reservation) => reservationRow(reservation, circuits.of(reservation.peer.toString())));
  }

  circuits(): CircuitRow[] {
    return this.#context.circuits.all().flatMap((circuit) => (circuit.class === 'internal' ? [] : [circuitRow(circuit, circuit.class)]));
  }

  #makePublisher(directory: DirectoryEndpoint): Publisher {
    const { clock, log, host, version, eventLoopDelayMs } = this.#o;
    const facts = new OwnFacts({
      clock,
      config: () => this.#config,
      // What other relays send through here is load too, though its bytes count there.
      counts: (limitClass) => {
        const counts = this.#tally.of(limitClass);
        return { ...counts, bytesRelayed: counts.bytesRelayed + this.#forwards.bytes('in', limitClass) };
      },
      limits: (limitClass) => this.#context.policy.limits(limitClass),
      isUsable: (limitClass) => this.#tally.isUsable(limitClass),
      eventLoopDelayMs,
      alternatives: this.#alternatives,
      drainEndsAt: () => this.#drainEndsAt,
    });
    return new Publisher({
      directory,
      facts,
      statement: new OwnStatement({ clock, privateKey: host.privateKey, version, facts }),
      host,
      reservations: () => this.#context.reservations.all(),
      classOf: (peer) => this.#classOf(peer),
      clock,
      log,
      metrics: this.#metrics,
    });
  }

  /** A member by token is known as one by the reservation that it holds. */
  #classOf(peer: PeerId): UserClass {
    const { reservations, policy } = this.#context;
    return (reservations.get(peer)?.class ?? policy.membership.poolOf(peer)) === 'member' ? 'member' : 'public';
  }

  #makeContext(): RelayContext {
    const { host, clock, log, addresses, clusterAddrs, tracer, eventLoopDelayMs, cluster, verifier } = this.#o;
    const given = {
      host,
      clock,
      log,
      addresses,
      clusterAddrs: clusterAddrs ?? ((): Multiaddr[] => []),
      tracer,
      eventLoopDelayMs,
      cluster,
      metrics: this.#metrics,
      forwards: this.#forwards,
      alternatives: this.#alternatives,
      maxEventLoopDelayMs: this.#config.maxEventLoopDelayMs,
      stopped: this.#stopped.signal,
      global: this.#makeGlobal(),
      bytesMoved: (limitClass: LimitClass, bytes: number): void => this.#tally.moved(limitClass, bytes),
      policy: this.#makePolicy(),
    };
    return freshContext(given, this.#journal, verifier);
  }

  #makeGlobal(): GlobalLimits | undefined {
    const { cluster, clock } = this.#o;
    return cluster === undefined || this.#clusterLimits === undefined ? undefined : new GlobalLimits(cluster, this.#clusterLimits, clock);
  }

  #makePolicy(): Policy {
    const { verifier, internalPeers, clock } = this.#o;
    return new Policy(this.#config, { realm: this.#realm, verifier, internal: internalPeers }, clock);
  }

  /** A reservation lives as long as its peer is connected (conformance 8). */
  readonly #onConnectionClose = (event: CustomEvent<Connection>): void => {
    const connection = event.detail;
    if (!isRelayed(connection) && directConnection(this.#o.host, connection.remotePeer) === undefined) {
      this.#context.reservations.release(connection.remotePeer);
    }
  };
}
