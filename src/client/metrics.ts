import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { Status } from '../lib/circuit/protocol.ts';
import { RelaydError } from '../lib/errors.ts';

/**
 * The client's series. `libp2p_autorelay_*`: names, labels and values of go-libp2p (p2p/host/autorelay/metrics.go), so
 * that its dashboards work; `relayd_client_*`: ours. Every label value is known here and starts at 0.
 */
type RequestType = 'new' | 'refresh';
export type StopOutcome = 'ok' | 'malformed' | 'unexpected' | 'denied' | 'error';
export type StatementOutcome = 'accepted' | 'old' | 'foreign' | 'malformed' | 'excess' | 'unsupported' | 'failed';
export type LostReason = 'connection closed' | 'no answer' | 'expired';
type DialPath = 'existing' | 'direct' | 'relay' | 'none';
type DialOutcome = 'success' | 'failure';
/** Go's states of its candidate loop, by number. */
export const CandidateLoop = { RateLimited: 0, Checking: 1, Waiting: 2, Stopped: 3 } as const;
type CandidateLoopState = (typeof CandidateLoop)[keyof typeof CandidateLoop];
type WorkType = 'reservation refresh' | 'clear backoff' | 'old candidate check' | 'allowed peer source call';

const REQUEST_TYPES: readonly RequestType[] = ['new', 'refresh'];
const OUTCOMES = ['success', 'connection failed', 'malformed message', 'reservation refused', 'permission denied', 'resource limit exceeded', 'err other'] as const;
const WORK_TYPES: readonly WorkType[] = ['reservation refresh', 'clear backoff', 'old candidate check', 'allowed peer source call'];
const STOP_OUTCOMES: readonly StopOutcome[] = ['ok', 'malformed', 'unexpected', 'denied', 'error'];
const STATEMENT_OUTCOMES: readonly StatementOutcome[] = ['accepted', 'old', 'foreign', 'malformed', 'excess', 'unsupported', 'failed'];
const LOST_REASONS: readonly LostReason[] = ['connection closed', 'no answer', 'expired'];
const DIALS: readonly (readonly [DialPath, DialOutcome])[] = [
  ['existing', 'success'],
  ['direct', 'success'],
  ['relay', 'success'],
  ['none', 'failure'],
];

/** A dial ends within milliseconds on a LAN and at a deadline of some seconds when nothing answers. */
const DIAL_BUCKETS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class ClientMetrics {
  readonly #status: Gauge;
  readonly #opened: Counter;
  readonly #closed: Counter;
  readonly #outcomes: Counter<'request_type' | 'outcome'>;
  readonly #addrsUpdated: Counter;
  readonly #addrsCount: Gauge;
  readonly #support: Counter<'support'>;
  readonly #candidates: Counter<'type'>;
  readonly #loopState: Gauge;
  readonly #work: Gauge<'work_type'>;
  readonly #desired: Gauge;
  readonly #held: Gauge;
  readonly #probes: Counter<'outcome'>;
  readonly #lost: Counter<'reason'>;
  readonly #standbys: Gauge;
  readonly #peersFound: Gauge;
  readonly #moves: Counter;
  readonly #drains: Counter<'outcome'>;
  readonly #statements: Counter<'outcome'>;
  readonly #stops: Counter<'outcome'>;
  readonly #dials: Counter<'path' | 'outcome'>;
  readonly #dialSeconds: Histogram<'path'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const go = (name: string, help: string): { name: string; help: string; registers: Registry[] } => ({ name: `libp2p_autorelay_${name}`, help, registers });
    const own = (name: string, help: string): { name: string; help: string; registers: Registry[] } => ({ name: `relayd_client_${name}`, help, registers });
    this.#status = new Gauge(go('status', 'relay finder active'));
    this.#opened = new Counter(go('reservations_opened_total', 'Reservations Opened'));
    this.#closed = new Counter(go('reservations_closed_total', 'Reservations Closed'));
    this.#outcomes = new Counter({ ...go('reservation_requests_outcome_total', 'Reservation Request Outcome'), labelNames: ['request_type', 'outcome'] });
    this.#addrsUpdated = new Counter(go('relay_addresses_updated_total', 'Relay Addresses Updated Count'));
    this.#addrsCount = new Gauge(go('relay_addresses_count', 'Relay Addresses Count'));
    this.#support = new Counter({ ...go('candidates_circuit_v2_support_total', 'Candidates supporting circuit v2'), labelNames: ['support'] });
    this.#candidates = new Counter({ ...go('candidates_total', 'Candidates Total'), labelNames: ['type'] });
    this.#loopState = new Gauge(go('candidate_loop_state', 'Candidate Loop State'));
    this.#work = new Gauge({ ...go('scheduled_work_time', 'Scheduled Work Times'), labelNames: ['work_type'] });
    this.#desired = new Gauge(go('desired_reservations', 'Desired Reservations'));
    this.#held = new Gauge(own('reservations_held', 'Reservations held whose relay answers'));
    this.#probes = new Counter({ ...own('probes_total', 'Probes of held relays by outcome'), labelNames: ['outcome'] });
    this.#lost = new Counter({ ...own('reservations_lost_total', 'Reservations that ended against our will, by reason'), labelNames: ['reason'] });
    this.#standbys = new Gauge(own('standbys', 'Relays that are connected and probed in reserve'));
    this.#peersFound = new Gauge(own('peers_found', 'Peers that some source names, relays or not'));
    this.#moves = new Counter(own('moves_total', 'Reservations made because a relay was clearly better than one that is held'));
    this.#drains = new Counter({ ...own('drains_total', 'Draining relays that were left, by whether another had taken their place'), labelNames: ['outcome'] });
    this.#statements = new Counter({ ...own('statements_total', 'Statements of relays by outcome'), labelNames: ['outcome'] });
    this.#stops = new Counter({ ...own('stop_requests_total', 'Incoming circuits by outcome'), labelNames: ['outcome'] });
    this.#dials = new Counter({ ...own('dials_total', 'Dials by the path that won and the outcome'), labelNames: ['path', 'outcome'] });
    this.#dialSeconds = new Histogram({ ...own('dial_duration_seconds', 'Time until a dial had a connection'), labelNames: ['path'], buckets: DIAL_BUCKETS });
    this.#seed();
  }

  #seed(): void {
    REQUEST_TYPES.forEach((request_type) => OUTCOMES.forEach((outcome) => this.#outcomes.inc({ request_type, outcome }, 0)));
    ['yes', 'no'].forEach((support) => this.#support.inc({ support }, 0));
    ['added', 'removed'].forEach((type) => this.#candidates.inc({ type }, 0));
    ['answered', 'missed'].forEach((outcome) => this.#probes.inc({ outcome }, 0));
    LOST_REASONS.forEach((reason) => this.#lost.inc({ reason }, 0));
    STATEMENT_OUTCOMES.forEach((outcome) => this.#statements.inc({ outcome }, 0));
    ['moved', 'cut'].forEach((outcome) => this.#drains.inc({ outcome }, 0));
    STOP_OUTCOMES.forEach((outcome) => this.#stops.inc({ outcome }, 0));
    DIALS.forEach(([path, outcome]) => this.#dials.inc({ path, outcome }, 0));
    (['existing', 'direct', 'relay'] as const).forEach((path) => this.#dialSeconds.zero({ path }));
    WORK_TYPES.forEach((work_type) => this.#work.set({ work_type }, 0));
    this.#loopState.set(CandidateLoop.Stopped);
  }

  active(isActive: boolean): void {
    this.#status.set(isActive ? 1 : 0);
  }

  desired(count: number): void {
    this.#desired.set(count);
  }

  held(count: number): void {
    this.#held.set(count);
  }

  reservationOpened(): void {
    this.#opened.inc();
  }

  reservationClosed(): void {
    this.#closed.inc();
  }

  reservationLost(reason: LostReason): void {
    this.#lost.inc({ reason });
  }

  /** One RESERVE, or the attempt to get as far as one; `error` is undefined for success. */
  requestFinished(request_type: RequestType, error?: unknown): void {
    this.#outcomes.inc({ request_type, outcome: outcomeOf(error) });
  }

  addressesUpdated(count: number): void {
    this.#addrsUpdated.inc();
    this.#addrsCount.set(count);
  }

  candidateChecked(supports: boolean): void {
    this.#support.inc({ support: supports ? 'yes' : 'no' });
  }

  candidateAdded(): void {
    this.#candidates.inc({ type: 'added' });
  }

  candidateRemoved(): void {
    this.#candidates.inc({ type: 'removed' });
  }

  loopState(state: CandidateLoopState): void {
    this.#loopState.set(state);
  }

  /** @param unixSeconds when the work is due; undefined (0) when none is planned */
  scheduled(work_type: WorkType, unixSeconds: number | undefined): void {
    this.#work.set({ work_type }, unixSeconds ?? 0);
  }

  probe(outcome: 'answered' | 'missed'): void {
    this.#probes.inc({ outcome });
  }

  statement(outcome: StatementOutcome): void {
    this.#statements.inc({ outcome });
  }

  /** `moved`: another was held before; `cut`: the relay closed while its reservation was still in use. */
  drained(outcome: 'moved' | 'cut'): void {
    this.#drains.inc({ outcome });
  }

  moved(): void {
    this.#moves.inc();
  }

  standbys(count: number): void {
    this.#standbys.set(count);
  }

  peersFound(count: number): void {
    this.#peersFound.set(count);
  }

  stopRequest(outcome: StopOutcome): void {
    this.#stops.inc({ outcome });
  }

  dialled(path: Exclude<DialPath, 'none'>, seconds: number): void {
    this.#dials.inc({ path, outcome: 'success' });
    this.#dialSeconds.observe({ path }, seconds);
  }

  dialFailed(): void {
    this.#dials.inc({ path: 'none', outcome: 'failure' });
  }
}

/** Go's words for how a RESERVE ended (metrics.go, getReservationRequestStatus). */
function outcomeOf(error: unknown): (typeof OUTCOMES)[number] {
  if (error === undefined) {
    return 'success';
  }
  if (!(error instanceof RelaydError)) {
    return 'connection failed';
  }
  if (error.code === 'RESERVATION_REFUSED') {
    return STATUS_OUTCOMES.get(error.data.status) ?? 'err other';
  }
  return error.code === 'MALFORMED_MESSAGE' || error.code === 'VOUCHER_INVALID' ? 'malformed message' : 'connection failed';
}

const STATUS_OUTCOMES = new Map<unknown, (typeof OUTCOMES)[number]>([
  [Status.CONNECTION_FAILED, 'connection failed'],
  [Status.MALFORMED_MESSAGE, 'malformed message'],
  [Status.RESERVATION_REFUSED, 'reservation refused'],
  [Status.PERMISSION_DENIED, 'permission denied'],
  [Status.RESOURCE_LIMIT_EXCEEDED, 'resource limit exceeded'],
]);

const INSTANCES = new WeakMap<Registry, ClientMetrics>();

/** The one instance of a registry: transport, supervisor and dialler count into the same series. */
export function clientMetrics(registry: Registry): ClientMetrics {
  const known = INSTANCES.get(registry) ?? new ClientMetrics(registry);
  INSTANCES.set(registry, known);
  return known;
}
