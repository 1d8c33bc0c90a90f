import { EventEmitter } from 'node:events';
import type { Connection } from '@libp2p/interface';
import type { Registry } from 'prom-client';
import { systemClock } from '../lib/clock.ts';
import type { Clock, TimerHandle } from '../lib/clock.ts';
import type { CandidateRow, ClientView } from '../lib/contracts.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import { Announcer, circuitAddrs } from './announcing.ts';
import { backoffMs } from './backoff.ts';
import type { Candidate } from './candidate.ts';
import { Candidates } from './candidates.ts';
import { hopConnections } from './components.ts';
import type { ClientComponents } from './components.ts';
import { relayRoutes } from './directory.ts';
import type { RelayDirectory, RelayRoute } from './directory.ts';
import { HeldRelay } from './held-relay.ts';
import type { HeldRelayEvents } from './held-relay.ts';
import { Listing } from './listing.ts';
import { CandidateLoop, clientMetrics } from './metrics.ts';
import type { ClientMetrics, LostReason } from './metrics.ts';
import { RelayAccess } from './relay-access.ts';
import type { Reservation } from './reservation.ts';
import { retryAfterMs } from './retry-after.ts';
import { HEDGE_MS, chooseAttempts, chooseReleases } from './selection.ts';
import type { SelectionState } from './selection.ts';
import type { SupervisorSettings } from './settings.ts';
import { Survey } from './survey.ts';
import { reportWork } from './work-schedule.ts';

/** The peer store's tag of a relay in use: whatever trims connections spares tagged peers. */
const RELAY_TAG = 'relayd-relay';
const RELAY_TAG_VALUE = 100;

/** Round-trip times of relays that are not held are measured anew this often. */
const SURVEY_INTERVAL_MS = 10 * 60_000;

export interface SupervisorEvents {
  'reservation:opened': [{ relay: string; expiresAt: Date }];
  'reservation:renewed': [{ relay: string; expiresAt: Date }];
  'reservation:lost': [{ relay: string; reason: string }];
  /** Full circuit addresses of this node, as announced from now on. */
  'addresses:changed': [{ addrs: string[] }];
}

export interface SupervisorOptions {
  components: ClientComponents;
  settings: SupervisorSettings;
  log: Logger;
  registry: Registry;
  clock?: Clock;
  random?: () => number;
}

/**
 * Keeps as many reservations as desired, on the best relays that there are, and announces exactly those circuit
 * addresses that work. Having fewer relays than desired is a fact, not an error: all of them are used.
 *
 * One method decides ({@link #evaluate}); everything that happens changes a candidate and asks for a decision.
 */
export class ClientSupervisor extends EventEmitter<SupervisorEvents> implements Part, ClientView, RelayDirectory {
  readonly name = 'client';
  readonly #components: ClientComponents;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #metrics: ClientMetrics;
  readonly #candidates: Candidates;
  readonly #access: RelayAccess;
  readonly #announcer: Announcer;
  readonly #listing: Listing;
  readonly #survey: Survey;
  #settings: SupervisorSettings;
  /** Aborted by stop; `undefined` while stopped. */
  #running: AbortController | undefined;
  #decisionDue = false;
  #wake: TimerHandle | undefined;
  #nextSurveyAt = 0;
  /** The first choice after the start waits for measurements; a loss never does. */
  #choosing = true;
  readonly #onClose = (event: CustomEvent<Connection>): void => this.#connectionClosed(event.detail);

  constructor(options: SupervisorOptions) {
    super();
    this.#components = options.components;
    this.#settings = options.settings;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#metrics = clientMetrics(options.registry);
    this.#candidates = new Candidates(this.#components.peerId, this.#metrics);
    this.#access = new RelayAccess({ components: this.#components, clock: this.#clock, metrics: this.#metrics, pingTimeoutMs: () => this.#settings.probe.timeoutMs });
    this.#announcer = new Announcer(this.#components);
    this.#listing = new Listing({
      components: this.#components,
      clock: this.#clock,
      random: this.#random,
      log: this.#log,
      metrics: this.#metrics,
      candidates: this.#candidates,
      onChange: () => this.#decideSoon(),
    });
    this.#survey = new Survey({
      clock: this.#clock,
      measure: (candidate) => this.#access.measure(candidate, this.#signal()),
      onMeasured: (candidate, rttMs) => this.#onMeasured(candidate, rttMs),
      onFailed: (candidate, error) => this.#onUnreachable(candidate, error),
      onSettled: () => this.#decideSoon(),
    });
  }

  start(): void {
    if (this.#running !== undefined) {
      return;
    }
    this.#running = new AbortController();
    this.#nextSurveyAt = this.#clock.now();
    this.#choosing = true;
    this.#components.events.addEventListener('connection:close', this.#onClose);
    this.#metrics.active(true);
    this.#metrics.desired(this.desired);
    this.#listing.start();
    this.#listing.update(this.#settings.relays, this.#settings.bootstrap);
  }

  stop(): void {
    this.#running?.abort(new RelaydError('CLOSED', 'the client is stopping'));
    this.#running = undefined;
    this.#nextSurveyAt = 0;
    this.#components.events.removeEventListener('connection:close', this.#onClose);
    this.#wake?.cancel();
    this.#listing.stop();
    this.#survey.stop();
    [...this.#candidates].forEach((candidate) => this.#letGo(candidate));
    this.#candidates.clear();
    this.#announce();
    this.#metrics.active(false);
    this.#metrics.loopState(CandidateLoop.Stopped);
    this.#reportWork();
  }

  /** Takes a changed configuration: new relays are tried at once, those dropped are used until others are held. */
  update(settings: Partial<SupervisorSettings>): void {
    this.#settings = { ...this.#settings, ...settings };
    if (this.#running !== undefined) {
      this.#metrics.desired(this.desired);
      this.#listing.update(this.#settings.relays, this.#settings.bootstrap);
    }
  }

  get desired(): number {
    return this.#settings.desired;
  }

  /** Reservations whose relay answers. */
  get held(): number {
    return this.#held().filter((candidate) => candidate.held?.suspect === false).length;
  }

  circuitAddrs(): string[] {
    return this.#announcer.addrs.map((addr) => `${addr.toString()}/p2p/${this.#components.peerId.toString()}`);
  }

  candidates(): CandidateRow[] {
    return [...this.#candidates].map((candidate) => candidate.row(this.#clock.now()));
  }

  relays(): RelayRoute[] {
    return relayRoutes(this.#candidates);
  }

  answers(relay: string): boolean {
    return this.#candidates.get(relay)?.held?.suspect !== true;
  }

  carries(connection: Connection): boolean {
    return this.#candidates.get(connection.remotePeer.toString())?.holdsOver(connection) ?? false;
  }

  #held(): Candidate[] {
    return [...this.#candidates].filter((candidate) => candidate.held !== undefined);
  }

  /** Decides once for all that happens in this turn. */
  #decideSoon(): void {
    if (!this.#decisionDue) {
      this.#decisionDue = true;
      queueMicrotask(() => {
        this.#decisionDue = false;
        this.#evaluate();
      });
    }
  }

  /** Lets go of what is too much, tries what is missing, announces what is held. */
  #evaluate(): void {
    if (this.#running === undefined) {
      return;
    }
    const state: SelectionState = { desired: this.desired, nowMs: this.#clock.now(), random: this.#random };
    this.#forget();
    chooseReleases(this.#candidates, state).forEach((candidate) => this.#release(candidate));
    this.#clearBackoffs(state.nowMs);
    this.#measureWhereItMatters(state.nowMs);
    if (!this.#choosing || !this.#survey.open) {
      this.#choosing = false;
      chooseAttempts(this.#candidates, state).forEach((candidate) => void this.#attempt(candidate));
    }
    this.#announce();
    this.#sleep(state.nowMs);
    this.#reportWork();
  }

  /** Drops candidates that nothing names any more and that nothing holds. */
  #forget(): void {
    const gone = [...this.#candidates].filter((candidate) => !candidate.listed && candidate.held === undefined && candidate.attemptAt === undefined);
    gone.forEach((candidate) => this.#candidates.remove(candidate));
  }

  #clearBackoffs(nowMs: number): void {
    for (const candidate of this.#candidates) {
      const waiting = candidate.state === 'backoff' || candidate.state === 'lost';
      if (waiting && candidate.held === undefined && candidate.attemptAt === undefined && candidate.retryAt <= nowMs) {
        candidate.state = 'candidate';
      }
    }
  }

  /** Round-trip times are only needed where there is a choice. */
  #measureWhereItMatters(nowMs: number): void {
    const listed = [...this.#candidates].filter((candidate) => candidate.listed);
    if (listed.length <= this.desired || this.desired === 0) {
      return;
    }
    const regular = this.#nextSurveyAt <= nowMs;
    if (regular) {
      this.#nextSurveyAt = nowMs + SURVEY_INTERVAL_MS * (0.9 + 0.2 * this.#random());
    }
    const free = listed.filter((candidate) => candidate.held === undefined && candidate.attemptAt === undefined && candidate.retryAt <= nowMs);
    this.#survey.begin(free.filter((candidate) => regular || candidate.rttMs === undefined));
  }

  #onMeasured(candidate: Candidate, rttMs: number): void {
    candidate.measured(rttMs);
    if (candidate.held === undefined && candidate.attemptAt === undefined) {
      candidate.state = 'standby';
      candidate.served();
    }
  }

  #onUnreachable(candidate: Candidate, error: unknown): void {
    if (candidate.held === undefined && candidate.attemptAt === undefined) {
      this.#backOff(candidate, error);
    }
  }

  /** One try for a reservation. It never throws: what it meets becomes the candidate's state. */
  async #attempt(candidate: Candidate): Promise<void> {
    const signal = this.#signal();
    candidate.attemptAt = this.#clock.now();
    candidate.state = 'connecting';
    try {
      const { connection, reservation } = await this.#access.open(candidate, signal);
      if (signal.aborted) return;
      this.#hold(candidate, connection, reservation);
      this.#metrics.requestFinished('new');
    } catch (error) {
      if (signal.aborted) return;
      this.#metrics.requestFinished('new', error);
      this.#backOff(candidate, error);
    } finally {
      candidate.attemptAt = undefined;
      this.#decideSoon();
    }
  }

  #backOff(candidate: Candidate, error: unknown): void {
    candidate.failed(errorMessage(error));
    candidate.state = 'backoff';
    const wait = backoffMs(candidate.failures, this.#random, retryAfterMs(error));
    candidate.retryAt = this.#clock.now() + wait;
    this.#log.debug({ relay: candidate.id, failures: candidate.failures, retryInMs: Math.round(wait), reason: candidate.reason }, 'no reservation');
  }

  #hold(candidate: Candidate, connection: Connection, reservation: Reservation): void {
    if (connection.status !== 'open') {
      throw new RelaydError('CLOSED', 'the connection closed before the reservation could be used');
    }
    candidate.state = 'reserved';
    candidate.served();
    candidate.retryAt = 0;
    const held = new HeldRelay({
      connection,
      reservation,
      clock: this.#clock,
      random: this.#random,
      probeSettings: () => this.#settings.probe,
      smoothedRttMs: () => candidate.rttMs,
      reserve: (signal) => this.#access.reserve(candidate, connection, signal),
      events: this.#watch(candidate),
    });
    candidate.held = held;
    held.start();
    this.#tag(candidate, true);
    this.#metrics.reservationOpened();
    this.#log.info({ relay: candidate.id, expiresAt: new Date(reservation.expiresAtWall) }, 'reservation made');
    this.emit('reservation:opened', { relay: candidate.id, expiresAt: new Date(reservation.expiresAtWall) });
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
    candidate.held.reservation = reservation;
    candidate.served();
    this.#metrics.requestFinished('refresh');
    this.emit('reservation:renewed', { relay: candidate.id, expiresAt: new Date(reservation.expiresAtWall) });
    this.#decideSoon();
  }

  /** It stays held and announced: it is good until it expires. */
  #onRenewalFailed(candidate: Candidate, error: unknown): void {
    candidate.reason = `renewal failed: ${errorMessage(error)}`;
    this.#metrics.requestFinished('refresh', error);
    this.#log.warn({ relay: candidate.id, reason: errorMessage(error) }, 'a reservation could not be renewed; trying again until it expires');
    this.#reportWork();
  }

  #onAnswer(candidate: Candidate, rttMs: number): void {
    this.#metrics.probe('answered');
    const { held } = candidate;
    if (held === undefined) return;
    candidate.measured(rttMs);
    if (held.suspect) {
      held.suspect = false;
      held.missed = false;
      candidate.reason = undefined;
      this.#log.info({ relay: candidate.id }, 'the relay answers again');
      this.#decideSoon();
    }
  }

  #onSuspect(candidate: Candidate): void {
    if (candidate.held === undefined) return;
    candidate.held.suspect = true;
    candidate.reason = 'does not answer a probe';
    this.#log.info({ relay: candidate.id }, 'the relay is slow to answer a probe: its address is withdrawn until it does');
    this.#announce();
  }

  #onMissed(candidate: Candidate): void {
    this.#metrics.probe('missed');
    if (candidate.held === undefined) return;
    candidate.held.suspect = true;
    candidate.held.missed = true;
    this.#decideSoon();
  }

  #onDead(candidate: Candidate): void {
    const connection = candidate.held?.connection;
    this.#metrics.probe('missed');
    this.#lose(candidate, 'no answer', 'the relay does not answer');
    connection?.abort(new RelaydError('TIMEOUT', 'the relay does not answer'));
    hopConnections(this.#components, candidate.peer).forEach((other) => void this.#access.abortIfDead(other, this.#signal()));
  }

  #connectionClosed(connection: Connection): void {
    const candidate = this.#candidates.get(connection.remotePeer.toString());
    if (candidate?.holdsOver(connection) === true) {
      this.#lose(candidate, 'connection closed', 'the connection to the relay closed');
    }
  }

  /** The reservation is gone: withdrawn at once, another relay tried at once, this one after a moment. */
  #lose(candidate: Candidate, reason: LostReason, text: string): void {
    if (!this.#letGo(candidate)) return;
    candidate.failed(text);
    candidate.state = 'lost';
    // A second connection to the same relay is as good as the first: no reason to wait.
    const connected = reason !== 'no answer' && hopConnections(this.#components, candidate.peer).length > 0;
    candidate.retryAt = this.#clock.now() + (connected ? 0 : backoffMs(candidate.failures, this.#random));
    this.#metrics.reservationLost(reason);
    this.#log.warn({ relay: candidate.id, reason: text }, 'reservation lost');
    this.emit('reservation:lost', { relay: candidate.id, reason: text });
    this.#announce();
    this.#decideSoon();
  }

  /** It is held beyond need: not renewed and not announced from here on; the relay frees it by its TTL. */
  #release(candidate: Candidate): void {
    const connection = candidate.held?.connection;
    if (!this.#letGo(candidate)) return;
    candidate.state = 'standby';
    this.emit('reservation:lost', { relay: candidate.id, reason: candidate.listed ? 'not needed' : 'no longer listed' });
    if (!candidate.listed) {
      this.#candidates.remove(candidate);
      if (connection !== undefined) void this.#access.closeWhenIdle(connection, this.#signal());
    }
  }

  /** Ends what is held, on our side. @returns whether anything was */
  #letGo(candidate: Candidate): boolean {
    if (candidate.held === undefined) {
      return false;
    }
    candidate.held.stop();
    candidate.held = undefined;
    this.#tag(candidate, false);
    this.#metrics.reservationClosed();
    return true;
  }

  #tag(candidate: Candidate, used: boolean): void {
    const tags = { [RELAY_TAG]: used ? { value: RELAY_TAG_VALUE } : undefined };
    this.#components.peerStore.merge(candidate.peer, { tags }).catch((error: unknown) => {
      this.#log.debug({ relay: candidate.id, error: errorMessage(error) }, 'the peer store did not take a tag');
    });
  }

  #announce(): void {
    const addrs = circuitAddrs(this.#candidates, this.#settings.allowPrivate);
    this.#metrics.held(this.held);
    if (this.#announcer.set(addrs)) {
      this.#metrics.addressesUpdated(this.#announcer.addrs.length);
      this.emit('addresses:changed', { addrs: this.circuitAddrs() });
    }
  }

  /**
   * Until a back-off ends, an attempt is to be hedged, or the next survey is due. What has come due since the decision was begun
   * counts as next: it was not part of it.
   */
  #sleep(decidedAt: number): void {
    const times = [...this.#candidates].flatMap((candidate) => [
      ...(candidate.held === undefined ? [candidate.retryAt] : []),
      ...(candidate.attemptAt === undefined ? [] : [candidate.attemptAt + HEDGE_MS]),
    ]);
    const next = Math.min(...[...times, this.#nextSurveyAt].filter((time) => time > decidedAt));
    this.#wake?.cancel();
    this.#wake = Number.isFinite(next) ? this.#clock.setTimer(() => this.#evaluate(), Math.max(0, next - this.#clock.now())) : undefined;
  }

  #reportWork(): void {
    reportWork(this.#candidates, this.#nextSurveyAt, this.#clock, this.#metrics);
  }

  #signal(): AbortSignal {
    return this.#running?.signal ?? AbortSignal.abort(new RelaydError('CLOSED', 'the client is stopped'));
  }
}
