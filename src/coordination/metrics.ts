import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { CLUSTER_LIMITS } from '../lib/cluster/relay-cluster.ts';
import type { ClusterLimit } from '../lib/cluster/relay-cluster.ts';
import { DECIDERS } from './admission.ts';
import type { Decider } from './admission.ts';
import { REJECTIONS } from './relays.ts';
import type { Rejection } from './relays.ts';
import { NEWS_OUTCOMES } from './revocation-news.ts';
import type { NewsOutcome } from './revocation-news.ts';

export interface ClusterGauges {
  /** Whether the store, or what stands for it, answers. */
  isUp: () => boolean;
  /** Alive, and those that may be at work; this one included. */
  relays: () => number;
  known: () => number;
  /** Alive ones whose limits over the cluster, realm or access lists are not this relay's. */
  disagreeing: () => number;
  /** Of each limit, how much of the fullest key is used, as far as this relay knows: 0 to 1. */
  fullest: () => ReadonlyMap<ClusterLimit, number>;
}

const DONE = ['ok', 'failed'] as const;
const ADMITTED = ['admitted', 'refused'] as const;

/** From what shared memory takes to the longest that admission waits for a store. */
const ADMISSION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];
/** From one gathering to what a store that was away makes of it. */
const PUBLICATION_BUCKETS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What is measured of the cluster as this relay sees it. */
export class ClusterMetrics {
  readonly #beats: Counter<'outcome'>;
  readonly #admissions: Counter<'by' | 'outcome'>;
  readonly #admissionSeconds: Histogram;
  readonly #publications: Counter<'outcome'>;
  readonly #publicationDelay: Histogram;
  readonly #rejected: Counter<'reason'>;
  readonly #revocations: Counter<'outcome'>;
  readonly #problems: Counter;
  readonly #usedUp: Counter;

  constructor(registry: Registry, gauges: ClusterGauges) {
    const registers = [registry];
    const own = (name: string, help: string): { name: string; help: string; registers: Registry[] } => ({ name: `relayd_cluster_${name}`, help, registers });
    new Gauge({ ...own('up', '1 while the store, or what stands for it, answers'), collect() { this.set(Number(gauges.isUp())); } });
    new Gauge({ ...own('relays', 'Relays of the cluster that are alive, this one included'), collect() { this.set(gauges.relays()); } });
    new Gauge({ ...own('relays_known', 'Relays that may be at work somewhere, seen or not, this one included'), collect() { this.set(gauges.known()); } });
    new Gauge({ ...own('relays_disagreeing', 'Relays of the cluster whose limits over it, realm or access lists are not those of this one'), collect() { this.set(gauges.disagreeing()); } });
    new Gauge({
      ...own('limit_used_ratio', 'How much of each limit over the cluster is used, of its fullest key, as far as this relay knows'),
      labelNames: ['limit'],
      collect() {
        const used = gauges.fullest();
        CLUSTER_LIMITS.forEach((limit) => this.set({ limit }, used.get(limit) ?? 0));
      },
    });
    this.#beats = new Counter({ ...own('beats_total', 'Times that this relay said that it is alive'), labelNames: ['outcome'] });
    this.#admissions = new Counter({ ...own('admissions_total', 'Requests decided over the cluster, by who decided'), labelNames: ['by', 'outcome'] });
    this.#admissionSeconds = new Histogram({ ...own('admission_seconds', 'How long that took'), buckets: ADMISSION_BUCKETS });
    this.#publications = new Counter({ ...own('publications_total', 'Changes of reservations that the cluster was told, and times that it could not be'), labelNames: ['outcome'] });
    this.#publicationDelay = new Histogram({ ...own('publication_delay_seconds', 'From a change of a reservation until the cluster was told'), buckets: PUBLICATION_BUCKETS });
    this.#rejected = new Counter({ ...own('records_rejected_total', 'Records of relays that were not believed'), labelNames: ['reason'] });
    this.#revocations = new Counter({ ...own('revocations_total', 'Revocation lists told to the cluster and taken from it'), labelNames: ['outcome'] });
    this.#problems = new Counter(own('store_problems_total', 'Times that the store stopped answering'));
    this.#usedUp = new Counter(own('quotas_used_up_total', 'Quotas that were used up while they were in use here'));
    DONE.forEach((outcome) => [this.#beats, this.#publications].forEach((counter) => counter.inc({ outcome }, 0)));
    DECIDERS.forEach((by) => ADMITTED.forEach((outcome) => this.#admissions.inc({ by, outcome }, 0)));
    REJECTIONS.forEach((reason) => this.#rejected.inc({ reason }, 0));
    NEWS_OUTCOMES.forEach((outcome) => this.#revocations.inc({ outcome }, 0));
  }

  readonly beat = (ok: boolean): void => this.#beats.inc({ outcome: ok ? 'ok' : 'failed' });

  readonly decided = (by: Decider, admitted: boolean, tookMs: number): void => {
    this.#admissions.inc({ by, outcome: admitted ? 'admitted' : 'refused' });
    this.#admissionSeconds.observe(tookMs / 1000);
  };

  readonly published = (delaysMs: readonly number[]): void => {
    this.#publications.inc({ outcome: 'ok' }, delaysMs.length);
    delaysMs.forEach((delayMs) => this.#publicationDelay.observe(delayMs / 1000));
  };

  readonly notPublished = (): void => this.#publications.inc({ outcome: 'failed' });

  readonly rejected = (reason: Rejection): void => this.#rejected.inc({ reason });

  readonly news = (outcome: NewsOutcome): void => this.#revocations.inc({ outcome });

  readonly problem = (): void => this.#problems.inc();

  readonly usedUp = (): void => this.#usedUp.inc();
}
