import type { Connection } from '@libp2p/interface';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { backoffCapMs, backoffMs } from './backoff.ts';
import type { Candidate } from './candidate.ts';
import type { ClientContext } from './context.ts';
import { noteDenial, noteTokenProblem } from './denial.ts';
import { HeldRelay } from './held-relay.ts';
import { tagRelay } from './relay-tag.ts';
import type { Reservation } from './reservation.ts';
import { retryAfterMs } from './retry-after.ts';
import { Watching } from './watching.ts';
import type { WatchingOptions } from './watching.ts';

interface HoldingOptions extends WatchingOptions {
  onRefused: (candidate: Candidate, error: unknown) => void;
}

/** How a reservation is made, and when it is tried again. */
export class Holding {
  readonly #o: HoldingOptions;
  readonly #context: ClientContext;
  readonly #watching: Watching;
  #tokenChanges = 0;

  constructor(options: HoldingOptions) {
    this.#o = options;
    this.#context = options.context;
    this.#watching = new Watching(options);
  }

  /** One try for a reservation. It never throws: what it meets becomes the candidate's state. */
  async attempt(candidate: Candidate): Promise<void> {
    const { access, clock, metrics } = this.#context;
    const signal = this.#context.signal();
    const tokenChanges = this.#tokenChanges;
    candidate.attemptAt = clock.now();
    candidate.state = 'connecting';
    try {
      const { connection, reservation } = await access.open(candidate, signal);
      if (signal.aborted) return;
      this.#hold(candidate, connection, reservation);
      metrics.requestFinished('new');
    } catch (error) {
      if (signal.aborted) return;
      metrics.requestFinished('new', error);
      this.backOff(candidate, error);
      if (tokenChanges !== this.#tokenChanges) this.#tryAgain(candidate);
      this.#o.onRefused(candidate, error);
    } finally {
      candidate.attemptAt = undefined;
      this.#context.changed();
    }
  }

  /** Not tried again before a while has passed. */
  backOff(candidate: Candidate, error: unknown): void {
    const { clock, random, log } = this.#context;
    const now = clock.now();
    candidate.standby?.stop();
    candidate.standby = undefined;
    candidate.failed(errorMessage(error), now);
    candidate.state = 'backoff';
    candidate.lent = true;
    candidate.notBefore = now + backoffMs(1, () => 0, retryAfterMs(error));
    candidate.retryAt = now + backoffMs(candidate.failures, random, retryAfterMs(error), backoffCapMs(candidate, now));
    log.debug({ relay: candidate.id, failures: candidate.failures, retryInMs: Math.round(candidate.retryAt - now), reason: candidate.fault }, 'no reservation');
    noteDenial(candidate, error, log);
  }

  /** The node's token is another one, or there is one: it is shown to every relay now, to those too that refused this node. */
  tokenChanged(): void {
    this.#tokenChanges++;
    for (const candidate of this.#context.candidates) {
      candidate.held?.renewNow();
      this.#tryAgain(candidate);
    }
    this.#context.changed();
  }

  #tryAgain(candidate: Candidate): void {
    if (candidate.denial !== undefined) candidate.retryAt = candidate.notBefore = this.#context.clock.now();
  }

  #hold(candidate: Candidate, connection: Connection, reservation: Reservation): void {
    const { access, clock, log, metrics, random, settings } = this.#context;
    if (connection.status !== 'open') {
      throw new RelaydError('CLOSED', 'the connection closed before the reservation could be used');
    }
    candidate.standby?.stop();
    candidate.standby = undefined;
    candidate.state = 'reserved';
    const failuresBefore = candidate.failures;
    candidate.served(clock.now());
    candidate.retryAt = 0;
    const held = new HeldRelay({
      connection,
      reservation,
      failuresBefore,
      clock,
      random,
      probeSettings: () => settings().probe,
      smoothedRttMs: () => candidate.rttMs,
      reserve: (signal) => access.reserve(candidate, connection, signal),
      events: this.#watching.of(candidate),
    });
    candidate.held = held;
    held.start();
    tagRelay(candidate, true, this.#context);
    metrics.reservationOpened();
    log.info({ relay: candidate.id, expiresAt: new Date(reservation.expiresAtWall) }, 'reservation made');
    noteTokenProblem(candidate, reservation, undefined, log);
    this.#o.onHeld(candidate);
    this.#o.emitter.emit('reservation:opened', { relay: candidate.id, expiresAt: new Date(reservation.expiresAtWall) });
  }
}
