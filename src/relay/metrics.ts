import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { Status } from '../lib/circuit/protocol.ts';
import type { StatusCode } from '../lib/circuit/protocol.ts';
import { CIRCUIT_ENDS } from './circuit.ts';
import type { CircuitEnd } from './circuit.ts';
import { USER_CLASSES } from './classes.ts';
import type { UserClass } from './classes.ts';
import { REFUSALS, isOfCluster } from './refusal.ts';
import type { RefusalName } from './refusal.ts';

export type Request = 'reserve' | 'connect';

/** What became of this relay's statement about itself: given to who asked, taken by a client that was told of a change, or not. */
const STATEMENT_OUTCOMES = ['answered', 'pushed', 'failed'] as const;
type StatementOutcome = (typeof STATEMENT_OUTCOMES)[number];

/** What the gauges read when they are scraped. */
export interface RelayGauges {
  reservations(limitClass: UserClass): number;
  circuits(limitClass: UserClass): number;
  bufferedBytes(limitClass: UserClass): number;
  /** What the class may have of each; infinite without a limit. */
  limits(limitClass: UserClass): Record<'reservations' | 'circuits' | 'bufferedBytes', number>;
  /** All that circuits of the two classes have carried. */
  bytesRelayed(): number;
}

/** go-libp2p's histogram uses the client library's default buckets, which end at 10 s; these reach a day. */
const DURATION_BUCKETS = [0.1, 0.5, 1, 5, 15, 60, 120, 300, 900, 3600, 21_600, 86_400];

/** The relay's series: `libp2p_relaysvc_*` as go-libp2p names and labels them, ours beside them. */
export class RelayMetrics {
  readonly status: Gauge;
  readonly #reservations: Counter<'type'>;
  readonly #reserveStatus: Counter<'status'>;
  readonly #reserveRejections: Counter<'reason'>;
  readonly #connections: Counter<'type'>;
  readonly #connectStatus: Counter<'status'>;
  readonly #connectRejections: Counter<'reason'>;
  readonly #durations: Histogram;
  readonly #refusals: Counter<'request' | 'limit' | 'class'>;
  readonly #ends: Counter<'reason' | 'class'>;
  readonly #statements: Counter<'outcome'>;

  /** @param inCluster what is refused over a cluster has series too */
  constructor(registry: Registry, gauges: RelayGauges, inCluster: boolean) {
    const registers = [registry];
    const go = (name: string): string => `libp2p_relaysvc_${name}`;
    this.status = new Gauge({ name: go('status'), help: 'Relay Status', registers });
    this.#reservations = counter(go('reservations_total'), 'Relay Reservation Request', 'type', ['opened', 'renewed', 'closed'], registry);
    this.#reserveStatus = counter(go('reservation_request_response_status_total'), 'Relay Reservation Request Response Status', 'status', STATUS_LABELS, registry);
    this.#reserveRejections = counter(go('reservation_rejections_total'), 'Relay Reservation Rejected Reason', 'reason', REASON_LABELS, registry);
    this.#connections = counter(go('connections_total'), 'Relay Connection Total', 'type', ['opened', 'closed'], registry);
    this.#connectStatus = counter(go('connection_request_response_status_total'), 'Relay Connection Request Status', 'status', STATUS_LABELS, registry);
    this.#connectRejections = counter(go('connection_rejections_total'), 'Relay Connection Rejected Reason', 'reason', REASON_LABELS, registry);
    this.#durations = new Histogram({ name: go('connection_duration_seconds'), help: 'Relay Connection Duration', buckets: DURATION_BUCKETS, registers });
    this.#refusals = new Counter({ name: 'relayd_relay_refusals_total', help: 'Requests refused, by the limit that refused them', labelNames: ['request', 'limit', 'class'], registers });
    this.#ends = new Counter({ name: 'relayd_relay_circuits_ended_total', help: 'Circuits that ended, by reason', labelNames: ['reason', 'class'], registers });
    this.#statements = counter('relayd_relay_statements_total', 'Statements of this relay about itself, by what became of them', 'outcome', STATEMENT_OUTCOMES, registry);
    this.#seed(inCluster);
    this.#addGauges(registry, gauges);
  }

  reservationOpened(): void {
    this.#reservations.inc({ type: 'opened' });
  }

  reservationRenewed(): void {
    this.#reservations.inc({ type: 'renewed' });
  }

  reservationClosed(): void {
    this.#reservations.inc({ type: 'closed' });
  }

  circuitOpened(): void {
    this.#connections.inc({ type: 'opened' });
  }

  circuitClosed(limitClass: UserClass, reason: CircuitEnd, durationMs: number): void {
    this.#connections.inc({ type: 'closed' });
    this.#durations.observe(durationMs / 1000);
    this.forwardedEnded(limitClass, reason);
  }

  /** One that came from another relay: go's series count it there. */
  forwardedEnded(limitClass: UserClass, reason: CircuitEnd): void {
    this.#ends.inc({ reason, class: limitClass });
  }

  accepted(request: Request): void {
    (request === 'reserve' ? this.#reserveStatus : this.#connectStatus).inc({ status: 'ok' });
  }

  refused(request: Request, limit: RefusalName, limitClass: UserClass): void {
    const [statuses, rejections] = request === 'reserve' ? [this.#reserveStatus, this.#reserveRejections] : [this.#connectStatus, this.#connectRejections];
    const label = statusLabel(REFUSALS[limit].status);
    statuses.inc({ status: label });
    if (label === 'rejected') {
      rejections.inc({ reason: REFUSALS[limit].reason });
    }
    this.#refusals.inc({ request, limit, class: limitClass });
  }

  statement(outcome: StatementOutcome): void {
    this.#statements.inc({ outcome });
  }

  #seed(inCluster: boolean): void {
    const limits = Object.keys(REFUSALS).filter((limit) => inCluster || !isOfCluster(limit));
    for (const limitClass of USER_CLASSES) {
      CIRCUIT_ENDS.forEach((reason) => this.#ends.inc({ reason, class: limitClass }, 0));
      for (const limit of limits) {
        (['reserve', 'connect'] as const).forEach((request) => this.#refusals.inc({ request, limit, class: limitClass }, 0));
      }
    }
  }

  #addGauges(registry: Registry, gauges: RelayGauges): void {
    const add = (name: string, help: string, read: (limitClass: UserClass) => number): void => {
      new Gauge({
        name: `relayd_relay_${name}`,
        help,
        labelNames: ['class'],
        registers: [registry],
        collect() {
          USER_CLASSES.forEach((limitClass) => this.set({ class: limitClass }, read(limitClass)));
        },
      });
    };
    add('reservations', 'Reservations held now', (limitClass) => gauges.reservations(limitClass));
    add('circuits', 'Circuits open now, those being set up included', (limitClass) => gauges.circuits(limitClass));
    add('reservations_max', 'Reservations that there may be; 0 for a class that nobody can be in', (limitClass) => gauges.limits(limitClass).reservations);
    add('circuits_max', 'Circuits that there may be; 0 for a class that nobody can be in', (limitClass) => gauges.limits(limitClass).circuits);
    add('buffered_bytes_max', 'Bytes that may be held between senders and receivers', (limitClass) => gauges.limits(limitClass).bufferedBytes);
    new Counter({
      name: 'libp2p_relaysvc_data_transferred_bytes_total',
      help: 'Bytes Transferred Total',
      registers: [registry],
      // Set when asked for: bytes move too often to tell each time.
      collect() {
        this.reset();
        this.inc(gauges.bytesRelayed());
      },
    });
    add('buffered_bytes', 'Bytes held between senders and receivers', (limitClass) => gauges.bufferedBytes(limitClass));
  }
}

const STATUS_LABELS = ['ok', 'rejected', 'error'] as const;
const REASON_LABELS: readonly string[] = [...new Set(Object.values(REFUSALS).filter(({ status }) => statusLabel(status) === 'rejected').map(({ reason }) => reason))];

/** go-libp2p's grouping: a failure to reach the target, or a message out of place, is an error; other refusals are rejections. */
function statusLabel(status: StatusCode): (typeof STATUS_LABELS)[number] {
  if (status === Status.OK) return 'ok';
  return status === Status.CONNECTION_FAILED || status === Status.UNEXPECTED_MESSAGE ? 'error' : 'rejected';
}

function counter<L extends string>(name: string, help: string, label: L, values: readonly string[], registry: Registry): Counter<L> {
  const made = new Counter({ name, help, labelNames: [label], registers: [registry] });
  values.forEach((value) => made.inc({ [label]: value } as Record<L, string>, 0));
  return made;
}
