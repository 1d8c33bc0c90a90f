import { EventEmitter } from 'node:events';
import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { CandidateRow, ClientView, FoundPeer, KnownRelay, Reachability, RehearsalResult, RelaySource } from '../lib/contracts.ts';
import type { DirectoryEndpoint } from '../lib/directory/endpoint.ts';
import { RelaydError } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import { working } from './alarm.ts';
import { Announcer, circuitAddrs } from './announcing.ts';
import type { Candidate } from './candidate.ts';
import type { Candidates } from './candidates.ts';
import { parseAddr } from './circuit-addr.ts';
import { makeContext } from './context.ts';
import type { ClientContext, ContextOptions } from './context.ts';
import { relayRoutes } from './directory.ts';
import type { RelayDirectory, RelayRoute } from './directory.ts';
import { beginDraining, endDraining } from './drains.ts';
import { nextDueAt } from './due.ts';
import { Ending } from './ending.ts';
import { Holding } from './holding.ts';
import { KnownRelays } from './known-relays.ts';
import { Leaving } from './leaving.ts';
import { Listing } from './listing.ts';
import { Measuring } from './measuring.ts';
import { CandidateLoop } from './metrics.ts';
import { Moving } from './moving.ts';
import { Need } from './need.ts';
import { rehearse } from './rehearsal.ts';
import { refusalOf } from './retry-after.ts';
import { candidateRows } from './rows.ts';
import { chooseAttempts, chooseReleases } from './selection.ts';
import type { SelectionState } from './selection.ts';
import type { SupervisorSettings } from './settings.ts';
import { Statements } from './statements.ts';
import type { SupervisorEvents } from './supervisor-events.ts';
import { Upkeep } from './upkeep.ts';
import { Waking } from './waking.ts';
import { Warming } from './warming.ts';
import { reportWork } from './work-schedule.ts';

/**
 * What is held beyond need is kept for so long after a relay was reserved or answers again: one that was late once is often late
 * again, and peers that know the old address have heard of the new one by then.
 */
const CALM_MS = 10_000;

export interface SupervisorOptions extends ContextOptions {
  settings: SupervisorSettings;
  /** What relays say of themselves; without it all relays are taken for standard ones. */
  directory?: DirectoryEndpoint;
}

/**
 * Keeps as many reservations as desired, on the best relays that there are, and announces exactly those circuit
 * addresses that work. Having fewer relays than desired is a fact, not an error: all of them are used.
 *
 * One method decides ({@link #evaluate}); everything that happens changes a candidate and asks for a decision.
 */
export class ClientSupervisor extends EventEmitter<SupervisorEvents> implements Part, ClientView, RelayDirectory {
  readonly name = 'client';
  readonly #context: ClientContext;
  readonly #candidates: Candidates;
  readonly #announcer: Announcer;
  readonly #listing: Listing;
  readonly #measuring: Measuring;
  readonly #ending: Ending;
  readonly #holding: Holding;
  readonly #warming: Warming;
  readonly #leaving: Leaving;
  readonly #upkeep: Upkeep;
  readonly #statements: Statements | undefined;
  readonly #moving: Moving;
  readonly #need: Need;
  readonly #waking: Waking;
  readonly #known = new KnownRelays();
  #settings: SupervisorSettings;
  /** Aborted by stop; `undefined` while stopped. */
  #running: AbortController | undefined;
  /** The first choice after the start waits for measurements; a loss never does. */
  #choosing = true;
  #calmAt = 0;
  readonly #onClose = (event: CustomEvent<Connection>): void => this.#connectionClosed(event.detail);

  constructor(options: SupervisorOptions) {
    super();
    this.#settings = options.settings;
    const context = makeContext(options, {
      settings: () => this.#settings,
      signal: () => this.#running?.signal ?? AbortSignal.abort(new RelaydError('CLOSED', 'the client is stopped')),
      changed: () => this.#waking.soon(),
    });
    this.#context = context;
    this.#waking = new Waking(context.clock, () => this.#evaluate());
    this.#candidates = context.candidates;
    this.#need = new Need({ context, onWanted: (wanted) => this.emit('relays:wanted', { wanted }) });
    this.#announcer = new Announcer(context.components);
    this.#listing = new Listing({ context, isWanted: () => this.#need.wantsRelays });
    this.#ending = new Ending({ context, emitter: this, announce: () => this.#announce(), onForgotten: (candidate) => this.#upkeep.drop(candidate) });
    this.#holding = new Holding({
      context,
      emitter: this,
      ending: this.#ending,
      announce: () => this.#announce(),
      onHeld: (candidate) => this.#onHeld(candidate),
      onRecovered: () => this.#stayCalm(),
      onRefused: (candidate, error) => this.#onRefused(candidate, error),
    });
    this.#moving = new Moving({ context, holding: this.#holding });
    this.#warming = new Warming({ context, onUnreachable: (candidate, error) => this.#onUnreachable(candidate, error) });
    this.#leaving = new Leaving({ context, ending: this.#ending });
    this.#upkeep = new Upkeep({ context, onForgotten: (candidate) => this.#listing.forget(candidate) });
    this.#measuring = new Measuring({
      context,
      desired: () => this.desired,
      ask: async (candidate, connection) => await this.#statements?.ask(candidate, connection),
      onUnreachable: (candidate, error) => this.#onUnreachable(candidate, error),
      onRound: () => this.#listing.rotate(),
      onSettled: () => this.#onSettled(),
    });
    this.#statements = options.directory === undefined ? undefined : this.#makeStatements(options.directory);
  }

  start(): void {
    if (this.#running !== undefined) {
      return;
    }
    this.#running = new AbortController();
    this.#measuring.start();
    this.#choosing = true;
    this.#context.components.events.addEventListener('connection:close', this.#onClose);
    this.#context.metrics.active(true);
    this.#context.metrics.desired(this.desired);
    this.#listing.start();
    this.#listing.update(this.#settings.relays, this.#settings.bootstrap);
  }

  stop(): void {
    this.#running?.abort(new RelaydError('CLOSED', 'the client is stopping'));
    this.#running = undefined;
    this.#context.components.events.removeEventListener('connection:close', this.#onClose);
    this.#waking.at(Infinity);
    this.#listing.stop();
    this.#measuring.stop();
    this.#warming.stop();
    for (const candidate of this.#candidates) {
      endDraining(candidate);
      this.#ending.letGo(candidate);
    }
    this.#candidates.clear();
    this.#announce();
    this.#context.metrics.active(false);
    this.#context.metrics.loopState(CandidateLoop.Stopped);
    this.#reportWork();
  }

  /** Takes a changed configuration: new relays are tried at once, those dropped are used until others are held. */
  update(settings: Partial<SupervisorSettings>): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#calmAt = 0;
    this.#moving.dueAtOnce();
    if (this.#running !== undefined) {
      this.#context.metrics.desired(this.desired);
      this.#listing.update(this.#settings.relays, this.#settings.bootstrap);
    }
  }

  /** Takes the whole set of peers that `source` names now, in place of the earlier one. Each is asked whether it relays before it is a candidate. */
  discovered(source: Exclude<RelaySource, 'manual' | 'bootstrap'>, peers: readonly (FoundPeer & Partial<KnownRelay>)[]): void {
    if (source === 'cache') this.#known.remember(peers);
    this.#listing.found(source, peers);
  }

  /** This node's own token is another one than before. */
  tokenChanged(): void {
    this.#holding.tokenChanged();
  }

  /** Whether others reach this node directly: it then needs no relay, unless the config says that it has them always. */
  setReachability(value: Reachability): void {
    this.#need.reachability = value;
    this.#context.metrics.desired(this.desired);
    this.#waking.soon();
  }

  /** Loses the best relay on purpose. @throws as {@link rehearse} */
  rehearseFailover(signal: AbortSignal): Promise<RehearsalResult> {
    const { components, clock } = this.#context;
    return rehearse({ candidates: this.#candidates, components, emitter: this, clock }, AbortSignal.any([signal, this.#context.signal()]));
  }

  /** More relays are looked for: see {@link Need}. */
  get wantsRelays(): boolean {
    return this.#need.wantsRelays;
  }

  /** The relays that have served, in this run or, as the cache told, in an earlier one. */
  known(): KnownRelay[] {
    return this.#known.list();
  }

  /** Reservations to hold. */
  get desired(): number {
    return this.#need.desired;
  }

  /** Reservations whose relay answers. */
  get held(): number {
    return working(this.#candidates);
  }

  circuitAddrs(): string[] {
    return this.#announcer.addrs.map((addr) => `${addr.toString()}/p2p/${this.#context.components.peerId.toString()}`);
  }

  candidates(): CandidateRow[] {
    return candidateRows(this.#candidates, this.#state());
  }

  relays(): RelayRoute[] {
    return relayRoutes(this.#candidates, this.#context.clock.now());
  }

  answers(relay: string): boolean {
    return this.#candidates.get(relay)?.held?.suspect !== true;
  }

  carries(connection: Connection): boolean {
    const candidate = this.#candidates.get(connection.remotePeer.toString());
    return candidate !== undefined && (candidate.holdsOver(connection) || candidate.standby?.connection === connection);
  }

  #makeStatements(directory: DirectoryEndpoint): Statements {
    return new Statements({
      context: this.#context,
      directory,
      onDraining: (candidate, ready) => beginDraining(candidate, this.#candidates, this.#state(), ready),
      onStaying: (candidate) => endDraining(candidate),
      onAlternatives: (candidate, addrs) => this.#listing.named(candidate, addrs),
    });
  }

  #state(): SelectionState {
    const { prefer, avoid } = this.#settings;
    return { desired: this.desired, prefer, avoid, calmAt: this.#calmAt, nowMs: this.#context.clock.now(), random: this.#context.random };
  }

  /** Lets go of what is too much, tries what is missing, announces what is held. */
  #evaluate(): void {
    if (this.#running === undefined) {
      return;
    }
    const state = this.#state();
    this.#upkeep.forget();
    chooseReleases(this.#candidates, state).forEach((candidate) => this.#ending.release(candidate, candidate.listed ? 'not needed' : 'no longer listed'));
    this.#upkeep.endBackoffs(state.nowMs);
    this.#measuring.run(state.nowMs);
    if (!this.#choosing || !this.#measuring.open) {
      this.#choosing = false;
      this.#attempt(state);
    }
    this.#leaving.decide(state);
    this.#warming.decide(state);
    this.#statements?.refresh(this.#candidates);
    this.#upkeep.giveBack(state, (candidate) => this.#measuring.isMeasuring(candidate));
    this.#announce();
    this.#need.tellWanted();
    this.#waking.at(nextDueAt(this.#candidates, [this.#measuring.nextRoundAt, this.#calmAt], state.nowMs));
    this.#reportWork();
  }

  #attempt(state: SelectionState): void {
    chooseAttempts(this.#candidates, state).forEach((candidate) => void this.#holding.attempt(candidate));
    this.#moving.decide(state);
  }

  #onSettled(): void {
    this.#moving.due();
    this.#waking.soon();
  }

  #onUnreachable(candidate: Candidate, error: unknown): void {
    if (candidate.held === undefined && candidate.attemptAt === undefined) {
      this.#holding.backOff(candidate, error);
      this.#waking.soon();
    }
  }

  #onHeld(candidate: Candidate): void {
    this.#stayCalm();
    this.#known.served(candidate, this.#context.clock.wall(), this.#context.clock.now());
    this.emit('relays:known');
  }

  #stayCalm(): void {
    this.#calmAt = this.#context.clock.now() + CALM_MS;
  }

  /** A relay that refuses may say who would not. */
  #onRefused(candidate: Candidate, error: unknown): void {
    const addrs = (refusalOf(error)?.alternatives ?? []).map(parseAddr).filter((addr): addr is Multiaddr => addr !== undefined);
    if (addrs.length > 0) this.#listing.named(candidate, addrs);
  }

  #connectionClosed(connection: Connection): void {
    const candidate = this.#candidates.get(connection.remotePeer.toString());
    if (candidate === undefined) return;
    candidate.statementDueAt = 0;
    this.#ending.connectionClosed(candidate, connection);
    this.#warming.connectionClosed(candidate, connection);
    this.#leaving.connectionClosed(candidate);
  }

  #announce(): void {
    const { metrics } = this.#context;
    metrics.held(this.held);
    if (this.#announcer.set(circuitAddrs(this.#candidates, this.#settings.allowPrivate))) {
      metrics.addressesUpdated(this.#announcer.addrs.length);
      this.emit('addresses:changed', { addrs: this.circuitAddrs() });
    }
  }

  #reportWork(): void {
    reportWork(this.#candidates, this.#measuring.nextRoundAt, this.#context.clock, this.#context.metrics);
  }
}
