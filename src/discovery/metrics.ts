import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** The series of discovery. Every label value is known here and starts at 0. */
const SOURCES = ['dht', 'mdns', 'cache'] as const;
const SEARCHES = ['providers', 'walk'] as const;
const OUTCOMES = ['ok', 'failed'] as const;
const ADVERTS = ['ok', 'failed', 'no address'] as const;

export type FoundSource = (typeof SOURCES)[number];
type Outcome = (typeof OUTCOMES)[number];

export class DiscoveryMetrics {
  readonly #found: Gauge<'source'>;
  readonly #searches: Counter<'kind' | 'outcome'>;
  readonly #adverts: Counter<'outcome'>;
  readonly #advertised: Gauge;
  readonly #names: Counter<'outcome'>;
  readonly #bootstrap: Gauge;
  readonly #saves: Counter<'outcome'>;

  constructor(registry: Registry) {
    const own = (name: string, help: string): { name: string; help: string; registers: Registry[] } => ({ name: `relayd_discovery_${name}`, help, registers: [registry] });
    this.#found = new Gauge({ ...own('found', 'Peers that a source names now'), labelNames: ['source'] });
    this.#searches = new Counter({ ...own('searches_total', 'Searches for relays in the DHT by outcome'), labelNames: ['kind', 'outcome'] });
    this.#adverts = new Counter({ ...own('adverts_total', 'Times that this relay put itself into the DHT by outcome'), labelNames: ['outcome'] });
    this.#advertised = new Gauge(own('advertised', 'Whether this relay stands in the DHT'));
    this.#names = new Counter({ ...own('names_total', 'Look-ups of dnsaddr names by outcome'), labelNames: ['outcome'] });
    this.#bootstrap = new Gauge(own('bootstrap_connected', 'Bootstrap peers that this node is connected to'));
    this.#saves = new Counter({ ...own('cache_saves_total', 'Times that the known relays were written to disk by outcome'), labelNames: ['outcome'] });
    SOURCES.forEach((source) => this.#found.set({ source }, 0));
    SEARCHES.forEach((kind) => OUTCOMES.forEach((outcome) => this.#searches.inc({ kind, outcome }, 0)));
    ADVERTS.forEach((outcome) => this.#adverts.inc({ outcome }, 0));
    OUTCOMES.forEach((outcome) => this.#names.inc({ outcome }, 0));
    OUTCOMES.forEach((outcome) => this.#saves.inc({ outcome }, 0));
  }

  found(source: FoundSource, count: number): void {
    this.#found.set({ source }, count);
  }

  searched(kind: (typeof SEARCHES)[number], outcome: Outcome): void {
    this.#searches.inc({ kind, outcome });
  }

  advert(outcome: (typeof ADVERTS)[number]): void {
    this.#adverts.inc({ outcome });
  }

  advertised(isThere: boolean): void {
    this.#advertised.set(isThere ? 1 : 0);
  }

  name(outcome: Outcome): void {
    this.#names.inc({ outcome });
  }

  bootstrapConnected(count: number): void {
    this.#bootstrap.set(count);
  }

  saved(outcome: Outcome): void {
    this.#saves.inc({ outcome });
  }
}
