import type { EventEmitter } from 'node:events';
import type { Connection } from '@libp2p/interface';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { alarm, working } from './alarm.ts';
import { backoffCapMs, backoffMs } from './backoff.ts';
import type { Candidate } from './candidate.ts';
import { hopConnections } from './components.ts';
import type { ClientContext } from './context.ts';
import { denialOf, noteDenial, noteTokenProblem } from './denial.ts';
import { endDraining } from './drains.ts';
import { HeldRelay } from './held-relay.ts';
import type { HeldRelayEvents } from './held-relay.ts';
import type { LostReason } from './metrics.ts';
import type { Reservation } from './reservation.ts';
import { retryAfterMs } from './retry-after.ts';
import type { SupervisorEvents } from './supervisor-events.ts';

/** The peer store's tag of a relay in use: whatever trims connections spares tagged peers. */
const RELAY_TAG = 'relayd-relay';
const RELAY_TAG_VALUE = 100;

/** A reservation that does not last so long is one more failure: a relay that grants and closes is not asked again at once each time. */
const STEADY_MS = 30_000;

/** All clients of a relay notice its end together; they do not come to the next one together. */
const ALARM_SPREAD_MS = 1_000;

interface HoldingOptions {
  context: ClientContext;
  emitter: EventEmitter<SupervisorEvents>;
  /** What is held and answers has changed: say so before anything else. */
  announce: () => void;
  onHeld: (candidate: Candidate) => void;
  /** A relay answers again that did not. */
  onRecovered: () => void;
  onRefused: (candidate: Candidate, error: unknown) => void;
  /** Nobody names it any more, and it is not held any more. */
  onForgotten: (candidate: Candidate) => void;
}

/** Reservations: how one is made, what happens to it while it is held, and how it ends. */
export class Holding {
  readonly #o: HoldingOptions;
  readonly #context: ClientContext;
  #tokenChanges = 0;

  constructor(options: HoldingOptions) {
    this.#o = options;
    this.#context = options.context;
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

  connectionClosed(candidate: Candidate, connection: Connection): void {
    if (candidate.holdsOver(connection)) {
      this.#lose(candidate, 'connection closed', 'the connection to the relay closed');
    }
  }

  /** It is held beyond need: not renewed and not announced from here on; the relay frees it by its TTL, or when the connection closes. */
  release(candidate: Candidate, why: string): void {
    const connection = candidate.held?.connection;
    if (!this.letGo(candidate)) return;
    candidate.state = 'candidate';
    candidate.lent = candidate.draining === undefined;
    this.#context.log.info({ relay: candidate.id, reason: why }, 'reservation let go');
    this.#o.emitter.emit('reservation:lost', { relay: candidate.id, reason: why });
    if (!candidate.listed) {
      this.#o.onForgotten(candidate);
      if (connection !== undefined) void this.#context.access.closeWhenIdle(connection, this.#context.signal());
    } else if (candidate.draining === undefined) {
      void this.#part(candidate);
    }
  }

  async #part(candidate: Candidate): Promise<void> {
    const { access, signal, changed } = this.#context;
    candidate.parting = true;
    await access.giveBack(candidate.peer, signal());
    candidate.parting = false;
    changed();
  }

  /** Ends what is held, on our side. @returns whether anything was */
  letGo(candidate: Candidate): boolean {
    if (candidate.held === undefined) {
      return false;
    }
    candidate.held.stop();
    candidate.held = undefined;
    this.#tag(candidate, false);
    this.#context.metrics.reservationClosed();
    return true;
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
      events: this.#watch(candidate),
    });
    candidate.held = held;
    held.start();
    this.#tag(candidate, true);
    metrics.reservationOpened();
    log.info({ relay: candidate.id, expiresAt: new Date(reservation.expiresAtWall) }, 'reservation made');
    noteTokenProblem(candidate, reservation, undefined, log);
    this.#o.onHeld(candidate);
    this.#o.emitter.emit('reservation:opened', { relay: candidate.id, expiresAt: new Date(reservation.expiresAtWall) });
  }

  #watch(candidate: Candidate): HeldRelayEvents {
    return {
      onRenewed: (reservation) => this.#onRenewed(candidate, reservation),
      onRenewalFailed: (error) => this.#onRenewalFailed(candidate, error),
      onExpired: () => this.#lose(candidate, 'expired', 'the reservation expired and could not be renewed'),
      onAnswer: (rttMs) => this.#onAnswer(candidate, rttMs),
      onSuspect: () => this.#onSuspect(candidate),
      onMissed: () => this.#onMissed(candidate),
      onDead: () => this.#onDead(candidate),
    };
  }

  #onRenewed(candidate: Candidate, reservation: Reservation): void {
    if (candidate.held === undefined) return;
    const recovered = candidate.held.refused;
    noteTokenProblem(candidate, reservation, candidate.held.reservation, this.#context.log);
    candidate.held.reservation = reservation;
    candidate.held.refused = false;
    candidate.served(this.#context.clock.now());
    this.#context.metrics.requestFinished('refresh');
    if (recovered) this.#o.onRecovered();
    this.#o.onHeld(candidate);
    this.#o.emitter.emit('reservation:renewed', { relay: candidate.id, expiresAt: new Date(reservation.expiresAtWall) });
    this.#context.changed();
  }

  /** It stays held and announced, for it is good until it expires; another is looked for by then: a standard relay that drains does just this. */
  #onRenewalFailed(candidate: Candidate, error: unknown): void {
    const { log, metrics, changed } = this.#context;
    if (candidate.held !== undefined) candidate.held.refused = true;
    const denial = denialOf(error);
    candidate.fault = `renewal ${denial === undefined ? `failed: ${errorMessage(error)}` : `refused: ${denial}`}`;
    metrics.requestFinished('refresh', error);
    log.warn({ relay: candidate.id, reason: errorMessage(error) }, 'a reservation could not be renewed; trying again until it expires');
    changed();
  }

  #onAnswer(candidate: Candidate, rttMs: number): void {
    const { clock, log, metrics, changed } = this.#context;
    metrics.probe('answered');
    const { held } = candidate;
    if (held === undefined) return;
    candidate.measured(rttMs, clock.now());
    if (held.suspect) {
      held.suspect = false;
      candidate.fault = undefined;
      log.info({ relay: candidate.id }, 'the relay answers again');
      this.#o.onRecovered();
      changed();
    }
  }

  #onSuspect(candidate: Candidate): void {
    this.#suspect(candidate);
    this.#context.log.info({ relay: candidate.id }, 'the relay is slow to answer a probe: its address is withdrawn until it does');
  }

  /** Until it has been measured there is no late, only a timeout. */
  #onMissed(candidate: Candidate): void {
    this.#context.metrics.probe('missed');
    this.#suspect(candidate);
  }

  /** Withdrawn at once, and another relay reserved at once: both can be taken back, which costs less than a peer that cannot reach us. */
  #suspect(candidate: Candidate): void {
    if (candidate.held === undefined || candidate.held.suspect) return;
    candidate.held.suspect = true;
    candidate.fault = 'does not answer a probe';
    // One that is late again and again is the one to be let go when both answer: its clients do not go back and forth.
    candidate.history.failed(this.#context.clock.now());
    this.#alarmIfLast(candidate);
    this.#o.announce();
    this.#context.changed();
  }

  #onDead(candidate: Candidate): void {
    const { access, components, metrics, signal } = this.#context;
    const connection = candidate.held?.connection;
    metrics.probe('missed');
    this.#lose(candidate, 'no answer', 'the relay does not answer');
    connection?.abort(new RelaydError('TIMEOUT', 'the relay does not answer'));
    hopConnections(components, candidate.peer).forEach((other) => void access.abortIfDead(other, signal()));
  }

  /** The reservation is gone: withdrawn at once, another relay tried at once, this one after a moment. */
  #lose(candidate: Candidate, reason: LostReason, text: string): void {
    const { clock, components, log, metrics, random } = this.#context;
    const { held } = candidate;
    if (held === undefined) return;
    this.letGo(candidate);
    const now = clock.now();
    if (now - held.since < STEADY_MS) candidate.failures = held.failuresBefore;
    if (candidate.draining !== undefined) metrics.drained('cut');
    endDraining(candidate);
    candidate.failed(text, now);
    candidate.state = 'lost';
    candidate.lostAt = now;
    // A second connection to the same relay is as good as the first: no reason to wait.
    const connected = reason !== 'no answer' && candidate.failures === 1 && hopConnections(components, candidate.peer).length > 0;
    candidate.retryAt = now + (connected ? 0 : backoffMs(candidate.failures, random, 0, backoffCapMs(candidate, now)));
    this.#alarmIfLast(candidate);
    metrics.reservationLost(reason);
    log.warn({ relay: candidate.id, reason: text }, 'reservation lost');
    this.#o.emitter.emit('reservation:lost', { relay: candidate.id, reason: text });
    this.#o.announce();
    this.#context.changed();
  }

  /** Nothing works any more: whoever failed while all was well gets another chance at once. */
  #alarmIfLast(candidate: Candidate): void {
    const { candidates, clock, random } = this.#context;
    if (working(candidates) === 0) alarm(candidate, candidates, clock.now(), random() * ALARM_SPREAD_MS);
  }

  #tag(candidate: Candidate, used: boolean): void {
    const { components, log } = this.#context;
    const tags = { [RELAY_TAG]: used ? { value: RELAY_TAG_VALUE } : undefined };
    components.peerStore.merge(candidate.peer, { tags }).catch((error: unknown) => {
      log.debug({ relay: candidate.id, error: errorMessage(error) }, 'the peer store did not take a tag');
    });
  }
}
