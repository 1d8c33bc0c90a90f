import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

const DIRECTIONS = ['in', 'out'] as const;

/** `foreign`: not a member; `secret`: not sealed with the cluster's; `malformed`: anything else that is wrong with it; `full`: too large, or more than can be sent. */
export const REFUSALS = ['foreign', 'secret', 'malformed', 'full'] as const;
export type GossipRefusal = (typeof REFUSALS)[number];

const OUTCOMES = ['ok', 'failed'] as const;

/** Gossip's series. */
export class GossipMetrics {
  readonly #messages: Counter<'direction'>;
  readonly #bytes: Counter<'direction'>;
  readonly #refused: Counter<'reason'>;
  readonly #exchanges: Counter<'outcome'>;
  readonly #syncBytes: Counter<'direction'>;

  constructor(registry: Registry, reservations: () => number) {
    const registers = [registry];
    this.#messages = new Counter({ name: 'relayd_gossip_messages_total', help: 'Messages of gossip, each counted once, however often it was passed on', labelNames: ['direction'], registers });
    this.#bytes = new Counter({ name: 'relayd_gossip_bytes_total', help: 'Bytes of those messages', labelNames: ['direction'], registers });
    this.#refused = new Counter({ name: 'relayd_gossip_refused_total', help: 'Streams and messages that were refused or dropped, by what was wrong', labelNames: ['reason'], registers });
    this.#exchanges = new Counter({ name: 'relayd_gossip_exchanges_total', help: 'Comparisons with another relay of what both know, by outcome', labelNames: ['outcome'], registers });
    this.#syncBytes = new Counter({ name: 'relayd_gossip_sync_bytes_total', help: 'Bytes of questions and answers of these comparisons', labelNames: ['direction'], registers });
    new Gauge({
      name: 'relayd_gossip_reservations',
      help: 'Reservations of other relays that are known here',
      registers,
      collect() {
        this.set(reservations());
      },
    });
    this.#seed();
  }

  message(direction: (typeof DIRECTIONS)[number], bytes: number): void {
    this.#messages.inc({ direction });
    this.#bytes.inc({ direction }, bytes);
  }

  refused(reason: GossipRefusal): void {
    this.#refused.inc({ reason });
  }

  exchanged(outcome: (typeof OUTCOMES)[number]): void {
    this.#exchanges.inc({ outcome });
  }

  synced(inBytes: number, outBytes: number): void {
    this.#syncBytes.inc({ direction: 'in' }, inBytes);
    this.#syncBytes.inc({ direction: 'out' }, outBytes);
  }

  #seed(): void {
    DIRECTIONS.forEach((direction) => {
      this.#messages.inc({ direction }, 0);
      this.#bytes.inc({ direction }, 0);
      this.#syncBytes.inc({ direction }, 0);
    });
    REFUSALS.forEach((reason) => this.#refused.inc({ reason }, 0));
    OUTCOMES.forEach((outcome) => this.#exchanges.inc({ outcome }, 0));
  }
}
