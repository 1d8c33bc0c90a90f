import type { PeerId, PrivateKey, Stream } from '@libp2p/interface';
import type { Registry as MetricsRegistry } from 'prom-client';
import type { Clock } from '../lib/clock.ts';
import type { ClusterClaims, ClusterVerdict, QuotaClaim, RelayCluster } from '../lib/cluster/relay-cluster.ts';
import type { ClusterView } from '../lib/contracts.ts';
import { withDeadline } from '../lib/deadline.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import { Admission } from './admission.ts';
import type { BackendListener, Counters, Registry } from './backend.ts';
import { Beats } from './beats.ts';
import { Holders } from './holders.ts';
import { KnownRelays } from './known-relays.ts';
import type { Links } from './links.ts';
import { ClusterMetrics } from './metrics.ts';
import { NewerRuns } from './newer-runs.ts';
import { OutageLog } from './outage-log.ts';
import { OwnRecord } from './own-record.ts';
import { SignedProofs } from './proofs.ts';
import type { Proofs } from './proofs.ts';
import { Publication } from './publication.ts';
import type { RelayFacts } from './record.ts';
import { Relays } from './relays.ts';
import { Retelling } from './retelling.ts';
import { RevocationLinks } from './revocation-links.ts';
import { RevocationNews } from './revocation-news.ts';
import type { RealmNews } from './revocation-news.ts';
import type { ClusterSecret } from './secret.ts';
import { Usage } from './usage.ts';
import { clusterView, fullestOf } from './view.ts';
import type { KeyShare, LimitSources } from './view.ts';

/** One backend's parts. */
export interface Backend {
  readonly registry: Registry;
  readonly counters: Counters;
  /** Of a key that is counted by shares. */
  readonly shareOf?: (key: string) => KeyShare;
}

export interface CoordinatorOptions {
  readonly self: string;
  readonly key: PrivateKey;
  readonly epoch: number;
  readonly cluster: string;
  readonly dataDir: string;
  /** Peer ids of the relays that the configuration names. */
  readonly configured: readonly string[];
  readonly backend: ClusterView['backend'];
  readonly secret: ClusterSecret;
  readonly links: Links;
  readonly makeBackend: (listener: BackendListener, relays: Relays, proofs: Proofs) => Backend;
  /** What this relay says of itself now. */
  readonly facts: () => RelayFacts;
  readonly forwarded: () => { out: number; in: number };
  readonly realm: RealmNews;
  /** Another process has taken this relay's identity: nothing is admitted here any more. The signal aborts when this part is stopped. */
  readonly onFenced: (stopped: AbortSignal) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricsRegistry;
}

/** A relay that starts waits so long to be known before it serves; where the store is away it serves all the same. */
const FIRST_BEAT_MS = 1_000;

/** A relay that stops waits no longer for a store that may be gone. */
const FAREWELL_MS = 2_000;

const FENCED = "another process runs with this relay's identity and has taken its place in the cluster: stop one of the two, or give it a key of its own (is there no other? then this one has lost its data directory, and its clock is behind: set the clock, and start it again)";

/** What makes this relay one of its cluster: it beats, tells what it holds, decides over the cluster, and tells the store all anew when that is back. */
export class Coordinator implements Part, RelayCluster {
  readonly name = 'coordination';
  readonly relays: Relays;
  readonly #o: CoordinatorOptions;
  readonly #metrics: ClusterMetrics;
  readonly #backend: Backend;
  readonly #admission: Admission;
  readonly #publication: Publication;
  readonly #usage: Usage;
  readonly #holders: Holders;
  readonly #news: RevocationNews;
  readonly #newsOverLinks: RevocationLinks;
  readonly #newerRuns: NewerRuns;
  readonly #known: KnownRelays;
  readonly #beats: Beats;
  readonly #retelling: Retelling;
  readonly #outages: OutageLog;
  #isFenced = false;
  #stopped = new AbortController();
  #isUp = false;

  constructor(options: CoordinatorOptions) {
    this.#o = options;
    this.#outages = new OutageLog(options);
    const { self, secret, key, epoch, clock, log, links, facts, realm } = options;
    this.#metrics = new ClusterMetrics(options.metrics, {
      isUp: () => this.problem === undefined,
      relays: () => this.relays.live().length + 1,
      known: () => this.relays.knownCount(),
      disagreeing: () => {
        const { digest } = facts();
        return this.relays.live().filter(({ record }) => record.digest !== digest).length;
      },
      fullest: () => fullestOf(this.#limits()),
    });
    this.relays = new Relays({ self, secret, isLinked: (peer) => links.members().includes(peer), clock, log, onRejected: this.#metrics.rejected });
    const proofs = new SignedProofs({ self, epoch, secret, realm, clock, log, onRefusedList: () => this.#metrics.news('refused') });
    this.#backend = options.makeBackend(this.#listener, this.relays, proofs);
    const { registry } = this.#backend;
    this.#usage = new Usage({ registry, clock, log });
    this.#admission = this.#makeAdmission();
    this.#publication = new Publication({ registry, clock, log, onTold: this.#metrics.published, onFailed: () => this.#notTold() });
    this.#holders = new Holders({
      self,
      registry,
      links,
      clock,
      isRelay: (relay) => this.relays.has(relay) || links.members().includes(relay),
      isLive: (relay) => this.relays.has(relay),
      holds: (peer) => this.#publication.holds(peer),
    });
    this.#news = new RevocationNews({ realm, registry, clock, log, onOutcome: this.#metrics.news });
    this.#newsOverLinks = new RevocationLinks({ links, realm, heard: (list) => this.#news.heard(list), clock, log });
    this.#newerRuns = new NewerRuns({ self, epoch, secret, links, relays: this.relays, onFenced: () => this.#fenced(), clock, log });
    this.#retelling = new Retelling({ admission: this.#admission, publication: this.#publication, news: this.#news, usage: this.#usage, countsInStore: this.#countsInStore, log });
    this.#known = new KnownRelays(options.dataDir, clock, log);
    this.relays.onChange(() => this.#known.save(this.relays.toRemember()));
    links.onChange((relay, isMember) => {
      if (!isMember) this.relays.unlinked(relay);
    });
    const record = new OwnRecord({ epoch, key, secret, clock, facts });
    this.#beats = new Beats({ registry, record, clock, log, onBeat: (ok) => this.#onBeat(ok), onFenced: () => this.#fenced() });
    this.#usage.onUsedUp(this.#metrics.usedUp);
  }

  /** @throws RelaydError of the backend; nothing is left running then */
  async start(): Promise<void> {
    const { registry, counters } = this.#backend;
    this.#isFenced = false;
    this.#stopped = new AbortController();
    this.#retelling.stale();
    this.relays.remember(await this.#known.load());
    this.relays.remember(this.#o.configured.map((peer) => ({ peer, epoch: 0, sequence: 0, mayBeAtWork: true })));
    await registry.start();
    try {
      await counters.start();
    } catch (error) {
      await registry.stop();
      throw error;
    }
    this.#holders.start();
    this.#news.start();
    this.#newsOverLinks.start();
    this.#newerRuns.start();
    this.#usage.start();
    const beaten = withDeadline(FIRST_BEAT_MS, this.#o.clock, [], () => this.#beats.start()).catch(() => {});
    // A store that has been found to be away already is waited for no second time.
    if (registry.problem === undefined) await beaten;
  }

  async stop(): Promise<void> {
    const { registry, counters } = this.#backend;
    this.#stopped.abort(new RelaydError('CLOSED', 'the node is stopping'));
    await this.#beats.stop();
    await this.#farewell();
    this.#retelling.away();
    this.#admission.storeAway();
    this.#holders.stop();
    this.#newsOverLinks.stop();
    this.#newerRuns.stop();
    this.#news.stop();
    await counters.stop();
    await registry.stop();
    this.relays.clear();
    await this.#known.stop(this.relays.toRemember());
    this.#outages.clear();
    this.#isUp = false;
  }

  /** Why the cluster cannot be relied on now; `undefined` when it can. */
  get problem(): string | undefined {
    if (this.#isFenced) return FENCED;
    return this.#backend.registry.problem ?? this.#beats.problem;
  }

  /** Why this relay is to be sent nobody: what {@link problem} tells is no such reason, for the relay serves all the same. */
  get failure(): string | undefined {
    return this.#isFenced ? FENCED : undefined;
  }

  /** What this relay says of itself has changed so that the others are to know at once. */
  changed(): void {
    this.#beats.hurry();
  }

  view(): ClusterView {
    const { cluster, backend, self, links, clock, facts, forwarded } = this.#o;
    return clusterView({
      cluster,
      backend,
      self,
      links,
      problem: this.problem,
      own: facts(),
      others: this.relays.live(),
      ...this.#limits(),
      forwarded: forwarded(),
      nowMs: clock.now(),
    });
  }

  // What the relay asks.

  /** @throws RelaydError FENCED */
  async admit(claims: ClusterClaims, signal: AbortSignal): Promise<ClusterVerdict> {
    if (this.#isFenced) throw new RelaydError('FENCED', FENCED);
    return this.#admission.admit(claims, signal);
  }

  holds(peer: PeerId, ttlMs: number): void {
    this.#publication.held(peer.toString(), ttlMs);
  }

  letGo(peer: PeerId): void {
    this.#publication.letGo(peer.toString());
  }

  holders(target: PeerId, signal: AbortSignal): Promise<readonly string[]> {
    return this.#holders.of(target, signal);
  }

  openStream(relay: string, protocol: string, signal: AbortSignal): Promise<Stream> {
    return this.#o.links.openStream(relay, protocol, signal);
  }

  isRelay(peer: PeerId): boolean {
    return this.#o.links.isMember(peer);
  }

  moved(quotas: readonly QuotaClaim[], bytes: number): void {
    this.#usage.moved(quotas, bytes);
  }

  onUsedUp(listener: (key: string) => void): () => void {
    return this.#usage.onUsedUp(listener);
  }

  // What the backend tells.

  readonly #listener: BackendListener = {
    relay: (peer, record) => this.relays.heard(peer, record),
    gone: (peer, why) => this.relays.gone(peer, why),
    revocations: (list) => this.#news.heard(list),
    health: (problem) => this.#onHealth(problem),
    stale: () => this.#onStale(),
    fenced: () => this.#fenced(),
  };

  #onHealth(problem: string | undefined): void {
    if (this.#isFenced) return;
    this.#holders.doubt();
    if (problem === undefined) {
      this.#outages.back();
      this.#beats.hurry();
      return;
    }
    this.#outages.away(problem);
    this.#away();
  }

  #onStale(): void {
    if (this.#isFenced) return;
    this.#retelling.stale();
    void this.#retelling.now();
  }

  async #onBeat(ok: boolean): Promise<void> {
    this.#metrics.beat(ok);
    if (this.#isFenced) return;
    if (ok) this.#isUp = true;
    else this.#away();
    await this.#retelling.ifDue(ok);
  }

  #away(): void {
    if (this.#isUp) this.#metrics.problem();
    this.#isUp = false;
    this.#retelling.away();
  }

  #notTold(): void {
    this.#metrics.notPublished();
    this.#holders.doubt();
    this.#retelling.stale();
  }

  #fenced(): void {
    if (this.#isFenced) return;
    this.#isFenced = true;
    void this.#beats.stop();
    this.#away();
    this.#o.log.error({ event: 'fenced' }, FENCED);
    this.#o.onFenced(this.#stopped.signal);
  }

  async #farewell(): Promise<void> {
    if (this.#isFenced) return;
    const { clock, log } = this.#o;
    await withDeadline(FAREWELL_MS, clock, [], async () => {
      await this.#usage.stop();
      await this.#backend.registry.leave();
    }).catch((error: unknown) => log.debug({ error: errorMessage(error) }, 'the cluster could not be told that this relay leaves'));
  }

  get #countsInStore(): boolean {
    return this.#o.backend === 'redis';
  }

  #limits(): LimitSources {
    return { places: this.#admission.places(), shareOf: this.#backend.shareOf ?? ((): KeyShare => ({ share: null, total: null })), meters: this.#usage.meters() };
  }

  #makeAdmission(): Admission {
    const { clock, log, links } = this.#o;
    return new Admission({
      counters: this.#backend.counters,
      decider: this.#countsInStore ? 'store' : 'share',
      quotas: this.#usage,
      knownCount: () => this.relays.knownCount(),
      rttMs: () => (this.#countsInStore ? undefined : Math.max(0, ...links.members().map((relay) => links.rttMs(relay) ?? 0))),
      clock,
      log,
      onDecided: this.#metrics.decided,
    });
  }
}
