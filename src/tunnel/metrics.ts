import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

export const DIRECTIONS = ['expose', 'forward'] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** `ok` once bytes could flow; `refused` when somebody said no; `failed` when something did not work, be it after an `ok`. */
export const OUTCOMES = ['ok', 'refused', 'failed'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** To the peer or from it. */
export const FLOWS = ['sent', 'received'] as const;
export type Flow = (typeof FLOWS)[number];

/** The tunnels' series. Labels are closed sets: no peer, name or address. */
export class TunnelMetrics {
  readonly #open: Gauge<'direction'>;
  readonly #connections: Counter<'direction' | 'outcome'>;
  readonly #bytes: Counter<'direction' | 'flow'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#open = new Gauge({ name: 'relayd_tunnel_open', help: 'TCP connections carried now', labelNames: ['direction'], registers });
    this.#connections = new Counter({ name: 'relayd_tunnel_connections_total', help: 'TCP connections by outcome; one that was cut later counts as ok and as failed', labelNames: ['direction', 'outcome'], registers });
    this.#bytes = new Counter({ name: 'relayd_tunnel_bytes_total', help: 'Bytes carried, to the peer and from it', labelNames: ['direction', 'flow'], registers });
    this.#seed();
  }

  ended(direction: Direction, outcome: Outcome): void {
    this.#connections.inc({ direction, outcome });
  }

  opened(direction: Direction): void {
    this.#open.inc({ direction });
  }

  closed(direction: Direction): void {
    this.#open.dec({ direction });
  }

  /** A function that counts bytes, with its labels looked up once: it runs for every piece. */
  bytes(direction: Direction, flow: Flow): (bytes: number) => void {
    const counter = this.#bytes.labels({ direction, flow });
    return (bytes) => counter.inc(bytes);
  }

  #seed(): void {
    for (const direction of DIRECTIONS) {
      this.#open.set({ direction }, 0);
      OUTCOMES.forEach((outcome) => this.#connections.inc({ direction, outcome }, 0));
      FLOWS.forEach((flow) => this.#bytes.inc({ direction, flow }, 0));
    }
  }
}
