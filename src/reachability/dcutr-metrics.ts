import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';

/** `reversed`: the peer could be dialled as it is; `unsupported`: it does not speak DCUtR; `refused`: it, or we, tried too often. */
const FAILURES = ['failed', 'unsupported', 'no address', 'refused'] as const;
export type HolePunchFailure = (typeof FAILURES)[number];
const TRANSPORTS = ['tcp', 'quic'] as const;
export type HolePunchTransport = (typeof TRANSPORTS)[number];

export class DcutrMetrics {
  readonly #upgrades: Counter<'outcome' | 'transport'>;
  readonly #attempts: Counter<'role'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#upgrades = new Counter({ name: 'relayd_hole_punch_total', help: 'Relayed connections that were to be replaced by direct ones, by what became of it', labelNames: ['outcome', 'transport'], registers });
    TRANSPORTS.forEach((transport) => ['direct', 'reversed'].forEach((outcome) => this.#upgrades.inc({ outcome, transport }, 0)));
    FAILURES.forEach((outcome) => this.#upgrades.inc({ outcome, transport: 'none' }, 0));
    this.#attempts = new Counter({ name: 'relayd_hole_punch_attempts_total', help: 'Attempts to punch a hole, at most three for a relayed connection', labelNames: ['role'], registers });
    ['initiator', 'responder'].forEach((role) => this.#attempts.inc({ role }, 0));
  }

  direct(transport: HolePunchTransport): void {
    this.#upgrades.inc({ outcome: 'direct', transport });
  }

  reversed(transport: HolePunchTransport): void {
    this.#upgrades.inc({ outcome: 'reversed', transport });
  }

  failed(outcome: HolePunchFailure): void {
    this.#upgrades.inc({ outcome, transport: 'none' });
  }

  attempt(role: 'initiator' | 'responder'): void {
    this.#attempts.inc({ role });
  }
}
