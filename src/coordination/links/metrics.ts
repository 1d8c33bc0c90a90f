import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** What became of a handshake: both know the secret; one of them does not; it was not finished. */
const OUTCOMES = ['ok', 'refused', 'failed'] as const;
export type HandshakeOutcome = (typeof OUTCOMES)[number];

const DIRECTIONS = ['in', 'out'] as const;
type Direction = (typeof DIRECTIONS)[number];

interface LinkGauges {
  links(): number;
  /** Without a sign; `NaN`: not known. */
  worstSkewMs(): number;
}

export class LinkMetrics {
  readonly #handshakes: Counter<'outcome'>;
  readonly #messages: Counter<'direction'>;
  readonly #bytes: Counter<'direction'>;

  constructor(registry: Registry, gauges: LinkGauges) {
    const registers = [registry];
    new Gauge({ name: 'relayd_cluster_links', help: 'Relays of the cluster that this one has an authenticated connection to', registers, collect() { this.set(gauges.links()); } });
    new Gauge({ name: 'relayd_cluster_clock_skew_seconds', help: 'How far the clock of that linked relay is from this one\'s whose clock is furthest; NaN where none has told its time', registers, collect() { this.set(gauges.worstSkewMs() / 1000); } });
    this.#handshakes = new Counter({ name: 'relayd_cluster_link_handshakes_total', help: 'Handshakes between relays of the cluster, by what became of them', labelNames: ['outcome'], registers });
    this.#messages = new Counter({ name: 'relayd_cluster_link_messages_total', help: 'Messages between relays of the cluster', labelNames: ['direction'], registers });
    this.#bytes = new Counter({ name: 'relayd_cluster_link_bytes_total', help: 'Bytes of the messages between relays of the cluster', labelNames: ['direction'], registers });
    OUTCOMES.forEach((outcome) => this.#handshakes.inc({ outcome }, 0));
    for (const direction of DIRECTIONS) {
      this.#messages.inc({ direction }, 0);
      this.#bytes.inc({ direction }, 0);
    }
  }

  handshake(outcome: HandshakeOutcome): void {
    this.#handshakes.inc({ outcome });
  }

  message(direction: Direction, bytes: number): void {
    this.#messages.inc({ direction });
    this.#bytes.inc({ direction }, bytes);
  }
}
