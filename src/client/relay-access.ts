import type { Connection } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';
import { RelaydError, toError } from '../lib/errors.ts';
import type { Candidate } from './candidate.ts';
import type { ClientComponents } from './components.ts';
import { sleep, withDeadline } from '../lib/deadline.ts';
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
}

/** What the supervisor does with a relay: connect, measure, reserve. */
export class RelayAccess {
  readonly #options: RelayAccessOptions;

  constructor(options: RelayAccessOptions) {
    this.#options = options;
  }

  /** @throws what connecting and reserving throw */
  async open(candidate: Candidate, signal: AbortSignal): Promise<{ connection: Connection; reservation: Reservation }> {
    const connection = await connectRelay(this.#options.components, candidate, this.#options.clock, signal);
    return { connection, reservation: await this.reserve(candidate, connection, signal) };
  }

  /** Connects, and leaves the connection open. @returns the round-trip time in milliseconds */
  async measure(candidate: Candidate, signal: AbortSignal): Promise<number> {
    const connection = await connectRelay(this.#options.components, candidate, this.#options.clock, signal);
    return await this.#ping(connection, signal);
  }

  async reserve(candidate: Candidate, connection: Connection, signal: AbortSignal): Promise<Reservation> {
    try {
      return await reserve(connection, {
        self: this.#options.components.peerId,
        clock: this.#options.clock,
        signal,
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
    for (let look = 0; look < IDLE_LOOKS && connection.status === 'open' && !signal.aborted; look++) {
      if (connection.streams.length === 0) {
        await connection.close().catch((error: unknown) => connection.abort(toError(error)));
        return;
      }
      await sleep(IDLE_LOOK_MS, this.#options.clock, signal);
    }
  }

  async #ping(connection: Connection, signal: AbortSignal): Promise<number> {
    const { clock, pingTimeoutMs } = this.#options;
    return await withDeadline(pingTimeoutMs(), clock, [signal], (limit) => ping(connection, clock, limit));
  }

  #noteSupport(candidate: Candidate, supports: boolean): void {
    // Bootstrap peers were counted when identify told.
    if (!candidate.supportKnown && candidate.source === 'manual') {
      candidate.supportKnown = true;
      this.#options.metrics.candidateChecked(supports);
    }
  }
}
