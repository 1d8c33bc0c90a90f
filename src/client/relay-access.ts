import type { Connection, PeerId } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../lib/clock.ts';
import { RelaydError, toError } from '../lib/errors.ts';
import type { TokenFor } from '../lib/membership/token-for.ts';
import type { Candidate } from './candidate.ts';
import { hopConnections } from './components.ts';
import type { ClientComponents } from './components.ts';
import { abortable, sleep, withDeadline } from '../lib/deadline.ts';
import type { ClientMetrics } from './metrics.ts';
import { ping } from '../lib/ping.ts';
import { connectRelay } from './relay-connection.ts';
import { reserve } from './reservation.ts';
import type { Reservation } from './reservation.ts';

/** A ping or an identify push may be on its way when a connection becomes idle. */
const IDLE_LOOKS = 5;
const IDLE_LOOK_MS = 1_000;

interface RelayAccessOptions {
  components: ClientComponents;
  clock: Clock;
  metrics: ClientMetrics;
  pingTimeoutMs: () => number;
  tokenFor: TokenFor;
  /** The client relies on a connection to this peer. */
  isInUse: (peer: PeerId) => boolean;
}

/** What the supervisor does with a relay: connect, measure, reserve, and leave. */
export class RelayAccess {
  readonly #options: RelayAccessOptions;
  /** Connections that were made here, and that nothing else is known to want. */
  readonly #opened = new WeakSet<Connection>();
  /** Connections on their way out: they look open until the last stream is gone, and libp2p would give them to whoever dials. */
  readonly #closing = new WeakMap<Connection, Promise<void>>();

  constructor(options: RelayAccessOptions) {
    this.#options = options;
  }

  /** @throws what connecting and reserving throw */
  async open(candidate: Candidate, signal: AbortSignal): Promise<{ connection: Connection; reservation: Reservation }> {
    const connection = await this.connect(candidate, signal);
    return { connection, reservation: await this.reserve(candidate, connection, signal) };
  }

  /** A direct connection, open or new; a new one is closed by {@link giveBack}. @throws what {@link connectRelay} throws */
  async connect(relay: { peer: PeerId; addrs: readonly Multiaddr[] }, signal: AbortSignal): Promise<Connection> {
    await abortable(this.#closed(relay.peer), signal);
    const isOpen = hopConnections(this.#options.components, relay.peer).length > 0;
    const connection = await connectRelay(this.#options.components, relay, this.#options.clock, signal);
    if (!isOpen) this.#opened.add(connection);
    return connection;
  }

  /** @returns the round-trip time in milliseconds */
  async measure(connection: Connection, signal: AbortSignal): Promise<number> {
    return await this.#ping(connection, signal);
  }

  /** Closes what was opened here to a peer that is not used after all: a relay's connections are for those who need them. Never rejects. */
  async giveBack(peer: PeerId, signal: AbortSignal): Promise<void> {
    const opened = hopConnections(this.#options.components, peer).filter((connection) => this.#opened.has(connection));
    await Promise.all(opened.map((connection) => this.closeWhenIdle(connection, signal)));
  }

  async reserve(candidate: Candidate, connection: Connection, signal: AbortSignal): Promise<Reservation> {
    try {
      return await reserve(connection, {
        self: this.#options.components.peerId,
        clock: this.#options.clock,
        signal,
        token: this.#options.tokenFor(candidate.peer),
        dialled: candidate.addrs,
        onSupport: (supports) => this.#noteSupport(candidate, supports),
      });
    } catch (error) {
      if (error instanceof RelaydError && error.code === 'TIMEOUT') void this.abortIfDead(connection, signal);
      throw error;
    }
  }

  /** A connection that does not even answer a ping is closed, so that the next try makes a new one. */
  async abortIfDead(connection: Connection, signal: AbortSignal): Promise<void> {
    try {
      await this.#ping(connection, signal);
    } catch (error) {
      if (!signal.aborted) connection.abort(toError(error));
    }
  }

  /**
   * Closes a connection that is not needed any more: a disconnect frees the relay's slot. One that carries circuits or
   * other work for longer is left to end by itself.
   */
  async closeWhenIdle(connection: Connection, signal: AbortSignal): Promise<void> {
    for (let look = 0; look < IDLE_LOOKS && connection.status === 'open' && !signal.aborted && !this.#options.isInUse(connection.remotePeer); look++) {
      if (connection.streams.length === 0) {
        const closed = connection.close().catch((error: unknown) => connection.abort(toError(error)));
        this.#closing.set(connection, closed);
        return await closed;
      }
      await sleep(IDLE_LOOK_MS, this.#options.clock, signal);
    }
  }

  async #closed(peer: PeerId): Promise<void> {
    for (const connection of this.#options.components.connectionManager.getConnections(peer)) {
      await this.#closing.get(connection);
    }
  }

  async #ping(connection: Connection, signal: AbortSignal): Promise<number> {
    const { clock, pingTimeoutMs } = this.#options;
    return await withDeadline(pingTimeoutMs(), clock, [signal], (limit) => ping(connection, clock, limit));
  }

  #noteSupport(candidate: Candidate, supports: boolean): void {
    // Peers that were found were counted when identify told.
    if (!candidate.supportKnown && candidate.source === 'manual') {
      candidate.supportKnown = true;
      this.#options.metrics.candidateChecked(supports);
    }
  }
}
