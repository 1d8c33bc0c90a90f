import type { Connection, MultiaddrConnection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ConnectionsConfig, PrefixesConfig } from '../config/domain.ts';
import { isCircuit } from '../lib/addresses.ts';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { Prefixes } from '../lib/prefixes.ts';
import { TokenBuckets } from '../lib/token-bucket.ts';
import { EVICTIONS, Handshakes } from './handshakes.ts';
import type { Eviction } from './handshakes.ts';

export interface ConnectionKeeperOptions {
  config: ConnectionsConfig;
  prefixes: PrefixesConfig;
  clock: Clock;
  log: Logger;
  registry: Registry;
  /** A connection of this node to itself: it is let in and counts nowhere until it is open. */
  isOwn: (remote: Multiaddr) => boolean;
  /** Asked once for each trim: which connections are never closed by it. */
  isProtected: () => (connection: Connection) => boolean;
}

const REFUSALS = ['max', 'pendingPerPrefix', 'inboundPerPrefix'] as const;

/**
 * A peer that came to use the relay has reserved or connected within this time; until then it is not trimmed. Without it nobody could
 * come any more once `high` peers hold reservations: each would be closed as the only one that may be.
 */
const GRACE_MS = 2_000;

/** How long a trimmed connection may take to close in good order before it is aborted. */
const CLOSE_TIMEOUT_MS = 1_000;

/**
 * Bounds the connections of this node: a hard cap, handshakes pending and new connections a second per prefix (where the handshakes are too
 * many, one that is silent or slow gives way), and the watermarks: above `high`, connections without reservation or circuit are closed, oldest first, down to `low`; new ones are given a moment.
 * Circuits through other relays are not connections of this machine and are not counted.
 */
export class ConnectionKeeper {
  readonly #o: ConnectionKeeperOptions;
  /** When each was opened, by the monotonic clock; the oldest first. */
  readonly #open = new Map<Connection, number>();
  readonly #handshakes: Handshakes;
  readonly #refused: Counter<'limit'>;
  readonly #evicted: Counter<'reason'>;
  readonly #trimmed: Counter;
  #config: ConnectionsConfig;
  #prefixes: Prefixes;
  #rate: TokenBuckets;
  /** Armed while a trim waits for connections that are still in their grace. */
  #graceTimer: TimerHandle | undefined;

  constructor(options: ConnectionKeeperOptions) {
    this.#o = options;
    this.#config = options.config;
    this.#handshakes = new Handshakes(options.clock);
    this.#prefixes = new Prefixes(options.prefixes);
    this.#rate = new TokenBuckets(options.config.inboundPerPrefix, options.clock);
    const registers = [options.registry];
    this.#refused = new Counter({ name: 'relayd_connections_refused_total', help: 'Inbound connections refused, by the limit that refused them', labelNames: ['limit'], registers });
    REFUSALS.forEach((limit) => this.#refused.inc({ limit }, 0));
    this.#evicted = new Counter({ name: 'relayd_handshakes_evicted_total', help: 'Handshakes that gave way to another of their prefix, by what was wrong with them', labelNames: ['reason'], registers });
    EVICTIONS.forEach((reason) => this.#evicted.inc({ reason }, 0));
    this.#trimmed = new Counter({ name: 'relayd_connections_trimmed_total', help: 'Connections closed to come back to connections.low', registers });
    const gauges = { open: () => this.#open.size, pending: () => this.#handshakes.size };
    for (const [name, read] of Object.entries(gauges)) {
      new Gauge({ name: `relayd_connections_${name}`, help: `Direct connections ${name}`, registers, collect() { this.set(read()); } });
    }
  }

  get open(): number {
    return this.#open.size;
  }

  update(config: ConnectionsConfig, prefixes: PrefixesConfig): void {
    this.#config = config;
    this.#prefixes = new Prefixes(prefixes);
    this.#rate = new TokenBuckets(config.inboundPerPrefix, this.#o.clock);
    this.#stopWaiting();
    this.#trimAboveHigh();
  }

  /** For the connection gater: true refuses. A connection that is let in counts as pending until it is upgraded or closed. */
  readonly refuseInbound = (connection: MultiaddrConnection): boolean => {
    if (isCircuit(connection.remoteAddr) || this.#o.isOwn(connection.remoteAddr)) {
      return false;
    }
    const prefixes = this.#prefixes.keysOf(connection.remoteAddr);
    const limit = this.#exceeded(prefixes);
    if (limit !== undefined) {
      this.#refused.inc({ limit });
      this.#o.log.debug({ addr: connection.remoteAddr.toString(), limit: `connections.${limit}` }, 'refused a connection');
      return true;
    }
    this.#handshakes.begin(connection, prefixes);
    connection.addEventListener('close', () => this.upgraded(connection), { once: true });
    return false;
  };

  /** The handshake of `connection` is over, one way or the other. */
  readonly upgraded = (connection: MultiaddrConnection): void => this.#handshakes.end(connection);

  readonly opened = (event: CustomEvent<Connection>): void => {
    if (!isCircuit(event.detail.remoteAddr)) {
      this.#open.set(event.detail, this.#o.clock.now());
      this.#trimAboveHigh();
    }
  };

  readonly closed = (event: CustomEvent<Connection>): void => {
    this.#open.delete(event.detail);
    if (this.#open.size <= this.#config.low) this.#stopWaiting();
  };

  /** Which limit refuses one more from `prefixes`; when none does, it has its token, and what was in its way is gone. */
  #exceeded(prefixes: readonly string[]): (typeof REFUSALS)[number] | undefined {
    if (this.#open.size + this.#handshakes.size >= this.#config.max) {
      return 'max';
    }
    const inTheWay = this.#handshakes.inTheWay(prefixes, this.#config.pendingPerPrefix);
    if (inTheWay === undefined) {
      return 'pendingPerPrefix';
    }
    if (prefixes.some((prefix) => this.#rate.waitMs(prefix) > 0)) {
      return 'inboundPerPrefix';
    }
    prefixes.forEach((prefix) => this.#rate.tryTake(prefix));
    inTheWay.forEach((reason, connection) => this.#evict(connection, reason));
    return undefined;
  }

  #evict(connection: MultiaddrConnection, reason: Eviction): void {
    this.#handshakes.end(connection);
    this.#evicted.inc({ reason });
    this.#o.log.debug({ addr: connection.remoteAddr.toString(), reason }, 'a handshake gave way to another');
    connection.abort(new Error(`the handshake was ${reason} and gave way to another of its prefix`));
  }

  #trimAboveHigh(): void {
    if (this.#open.size > this.#config.high && this.#graceTimer === undefined) {
      this.#trim();
    }
  }

  /** Closes what may be closed, and comes back when enough of the others are out of their grace to come down to `low`. */
  #trim(): void {
    this.#graceTimer = undefined;
    const surplus = Math.max(0, this.#open.size - this.#config.low);
    const isProtected = this.#o.isProtected();
    const chosen = [...this.#open].filter(([connection]) => !isProtected(connection)).slice(0, surplus);
    const inGrace = this.#o.clock.now() - GRACE_MS;
    chosen.filter(([, openedAt]) => openedAt <= inGrace).forEach(([connection]) => this.#close(connection));
    const youngest = chosen.at(-1)?.[1] ?? inGrace;
    if (youngest > inGrace) {
      this.#graceTimer = this.#o.clock.setTimer(() => this.#trim(), youngest - inGrace);
    }
  }

  #stopWaiting(): void {
    this.#graceTimer?.cancel();
    this.#graceTimer = undefined;
  }

  #close(connection: Connection): void {
    this.#open.delete(connection);
    this.#trimmed.inc();
    this.#o.log.debug({ peer: connection.remotePeer.toString() }, 'trimmed a connection');
    connection.close({ signal: AbortSignal.timeout(CLOSE_TIMEOUT_MS) }).catch((error: Error) => connection.abort(error));
  }
}
