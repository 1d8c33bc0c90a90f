import type { EventEmitter } from 'node:events';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import { alarmIfLast } from './alarm.ts';
import type { Candidate } from './candidate.ts';
import { hopConnections } from './components.ts';
import type { ClientContext } from './context.ts';
import { denialOf, noteTokenProblem } from './denial.ts';
import type { Ending } from './ending.ts';
import type { HeldRelayEvents } from './held-relay.ts';
import type { Reservation } from './reservation.ts';
import type { SupervisorEvents } from './supervisor-events.ts';

export interface WatchingOptions {
  context: ClientContext;
  emitter: EventEmitter<SupervisorEvents>;
  ending: Ending;
  /** What is held and answers has changed: say so before anything else. */
  announce: () => void;
  onHeld: (candidate: Candidate) => void;
  /** A relay answers again that did not. */
  onRecovered: () => void;
}

/** What a reservation's renewals and probes mean for its relay, while it is held. */
export class Watching {
  readonly #o: WatchingOptions;
  readonly #context: ClientContext;

  constructor(options: WatchingOptions) {
    this.#o = options;
    this.#context = options.context;
  }

  of(candidate: Candidate): HeldRelayEvents {
    return {
      onRenewed: (reservation) => this.#onRenewed(candidate, reservation),
      onRenewalFailed: (error) => this.#onRenewalFailed(candidate, error),
      onExpired: () => this.#o.ending.lose(candidate, 'expired', 'the reservation expired and could not be renewed'),
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
    alarmIfLast(candidate, this.#context);
    this.#o.announce();
    this.#context.changed();
  }

  #onDead(candidate: Candidate): void {
    const { access, components, metrics, signal } = this.#context;
    const connection = candidate.held?.connection;
    metrics.probe('missed');
    this.#o.ending.lose(candidate, 'no answer', 'the relay does not answer');
    connection?.abort(new RelaydError('TIMEOUT', 'the relay does not answer'));
    hopConnections(components, candidate.peer).forEach((other) => void access.abortIfDead(other, signal()));
  }
}
