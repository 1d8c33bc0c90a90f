import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Reachability } from '../lib/contracts.ts';

const REQUEST_OUTCOMES = ['ok', 'dial error', 'dial back error', 'dial refused', 'rejected', 'malformed', 'internal error'] as const;
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number];

const CHECK_OUTCOMES = ['reachable', 'unreachable', 'refused', 'failed'] as const;
export type CheckOutcome = (typeof CHECK_OUTCOMES)[number];

const STATES: readonly Reachability[] = ['public', 'private', 'unknown'];

/** Requests of clients that this node served. */
export class AutonatServerMetrics {
  readonly #requests: Counter<'outcome'>;

  constructor(registry: Registry, running: () => number) {
    const registers = [registry];
    this.#requests = new Counter({ name: 'relayd_autonat_requests_total', help: 'Requests to be dialled back, by outcome', labelNames: ['outcome'], registers });
    REQUEST_OUTCOMES.forEach((outcome) => this.#requests.inc({ outcome }, 0));
    new Gauge({ name: 'relayd_autonat_requests_running', help: 'Dial-backs under way', registers, collect() { this.set(running()); } });
  }

  request(outcome: RequestOutcome): void {
    this.#requests.inc({ outcome });
  }
}

/** What this node has found out about itself. */
export class AutonatClientMetrics {
  readonly #checks: Counter<'outcome'>;
  readonly #state: Gauge<'state'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#checks = new Counter({ name: 'relayd_client_reachability_checks_total', help: 'Peers asked to dial this node, by what came of it', labelNames: ['outcome'], registers });
    this.#state = new Gauge({ name: 'relayd_client_reachability', help: 'Whether this node is reached without a relay: 1 for the state that it is in', labelNames: ['state'], registers });
    CHECK_OUTCOMES.forEach((outcome) => this.#checks.inc({ outcome }, 0));
    this.state('unknown');
  }

  check(outcome: CheckOutcome): void {
    this.#checks.inc({ outcome });
  }

  state(current: Reachability): void {
    STATES.forEach((state) => this.#state.set({ state }, state === current ? 1 : 0));
  }
}
