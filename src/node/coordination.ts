import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Registry } from 'prom-client';
import type { RelaydConfig } from '../config/domain.ts';
import { BearerLinks, ClusterSecret, Coordinator, addressesOf, bestFirst, makeBackend, makeLinks, nextEpoch } from '../coordination/index.ts';
import type { Links, RelayFacts, Relays } from '../coordination/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { RelayCluster } from '../lib/cluster/relay-cluster.ts';
import type { ClusterView } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import { quickSigner } from '../lib/signing.ts';
import type { Realm } from '../realm/index.ts';
import type { RelayService } from '../relay/index.ts';
import type { AddressPolicy } from './address-policy.ts';
import { clusterFacts, digestOf } from './cluster-facts.ts';
import { readClusterSecrets } from './cluster-secret.ts';
import type { Host } from './host.ts';
import type { Identity } from './identity.ts';
import type { NamedRelays } from './named-relays.ts';
import { realmNews } from './realm-news.ts';

export interface CoordinationOptions {
  readonly config: RelaydConfig;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly log: Logger;
  readonly registry: Registry;
  readonly host: Host;
  readonly addresses: AddressPolicy;
  readonly realm: Realm;
  /** There is one before anything is started. */
  readonly relay: () => RelayService;
  readonly condition: () => RelayFacts['state'];
  readonly named: NamedRelays;
}

/** What clients have to read a notice and to reserve elsewhere, once another process has taken this relay's place. */
const NOTICE_MS = 2_000;

/** This node as one relay of a cluster: its links to the others and what ties it to the backend, wired to the rest of the node. */
export class Coordination {
  readonly #o: CoordinationOptions;
  readonly #secret: ClusterSecret;
  readonly #links: Links;
  readonly #bearers: BearerLinks;
  readonly #coordinator: Coordinator;
  #config: RelaydConfig;
  #digest: string;
  #addrs: readonly Multiaddr[] = [];

  /** `undefined` where the configuration names no backend. @throws RelaydError FILE_UNREADABLE, FILE_UNWRITABLE */
  static async create(options: CoordinationOptions): Promise<Coordination | undefined> {
    const { coordination, dataDir } = options.config;
    if (coordination.backend === 'none') return undefined;
    const secret = new ClusterSecret(await readClusterSecrets(coordination.secretFile), coordination.cluster, options.log);
    return new Coordination(options, coordination.backend, secret, await nextEpoch(dataDir, options.clock.wall()));
  }

  private constructor(options: CoordinationOptions, backend: ClusterView['backend'], secret: ClusterSecret, epoch: number) {
    const { config, identity, clock, log, registry: metrics, host, relay, realm } = options;
    this.#o = options;
    this.#secret = secret;
    this.#config = config;
    this.#digest = digestOf(config);
    const { libp2p } = host;
    const { peerId, peerStore, registrar, connectionManager, logger } = host.components;
    const key = quickSigner(identity.privateKey);
    this.#links = makeLinks({
      host: {
        handle: (protocol, handler, limits) => libp2p.handle(protocol, handler, limits),
        unhandle: (protocol) => libp2p.unhandle(protocol),
        dial: (addr, how) => libp2p.dial(addr, how),
        getConnections: (peer) => libp2p.getConnections(peer),
      },
      self: identity.peerId,
      secret,
      configured: config.coordination.relays,
      clock,
      log,
      registry: metrics,
    });
    const self = identity.peerId.toString();
    const news = realmNews(realm, () => this.#config.realm.authority);
    this.#bearers = new BearerLinks({ links: this.#links, claims: realm.claims, authority: () => news.authority(), clock, log });
    const shared = { self, epoch, secret, links: this.#links, clock, log, metrics };
    this.#coordinator = new Coordinator({
      ...shared,
      key,
      cluster: config.coordination.cluster,
      dataDir: config.dataDir,
      configured: config.coordination.relays.map((addr) => multiaddr(addr)).flatMap((addr) => addr.getComponents().at(-1)?.value ?? []),
      backend,
      makeBackend: (listener, relays, proofs) => makeBackend({ ...shared, config: config.coordination, dataDir: config.dataDir, listener, relays, proofs, host: { components: { peerId, peerStore, registrar, connectionManager, logger }, privateKey: key } }),
      facts: () => clusterFacts({ config: this.#config, state: options.condition(), host, relay: relay(), peerId: self, digest: this.#digest, secrets: secret.ids }),
      forwarded: () => relay().counts().forwarded,
      realm: news,
      onFenced: (stopped) => void this.#letGoOfAll(stopped),
    });
    this.#coordinator.relays.onChange(() => this.#onRelays(this.#coordinator.relays));
  }

  /** In the order in which they are started. */
  get parts(): Part[] {
    return [this.#bearers, this.#links, this.#coordinator];
  }

  /** What the relay asks. */
  get cluster(): RelayCluster {
    return this.#coordinator;
  }

  /** Of the other relays, best first, for reservations that name them. */
  readonly addrs = (): readonly Multiaddr[] => (this.#config.coordination.reservationAddrs === 'cluster' ? this.#addrs : []);

  view(): ClusterView {
    return this.#coordinator.view();
  }

  /** In `status`. */
  summary(): { backend: string; cluster: string; problem: string | null; relays: number } {
    const { backend, cluster } = this.#config.coordination;
    return { backend, cluster, problem: this.#coordinator.problem ?? null, relays: this.#coordinator.relays.live().length + 1 };
  }

  /** Why this relay is to be sent nobody. */
  failure(): string | undefined {
    return this.#coordinator.failure;
  }

  /** What is wrong while the relay serves all the same. */
  warning(): string | undefined {
    const { failure, problem } = this.#coordinator;
    return failure === undefined && problem !== undefined ? `the cluster (${this.#config.coordination.backend}) is away, so this relay works by its own part of the limits: ${problem}` : undefined;
  }

  /** The peers whose connections are links. */
  linked(): ReadonlySet<string> {
    return new Set(this.#links.members());
  }

  /** Takes what of a changed configuration the other relays are told. */
  update(config: RelaydConfig): void {
    this.#config = config;
    this.#digest = digestOf(config);
    this.changed();
  }

  /** Reads the file of the secret again. Never throws: a bad file leaves what is in force. @returns whether something has changed */
  async reloadSecret(): Promise<boolean> {
    const { log } = this.#o;
    try {
      if (!this.#secret.replace(await readClusterSecrets(this.#config.coordination.secretFile))) return false;
    } catch (error) {
      log.error({ event: 'secret-kept', error: errorMessage(error) }, 'the file of the cluster\'s secret is wrong; what was read before stays in force');
      return false;
    }
    const [speaks, ...accepts] = this.#secret.ids;
    log.info({ event: 'secret-changed', speaks, accepts }, 'the secret of the cluster has changed; these are short names of those in force');
    this.changed();
    return true;
  }

  /** The node has become ready, or drains: the others are to know at once. */
  changed(): void {
    this.#coordinator.changed();
  }

  #onRelays(relays: Relays): void {
    const { addresses, named } = this.#o;
    const targets = relays.targets();
    addresses.trust(targets.flatMap(({ addrs }) => addrs));
    this.#links.want(targets);
    const own = { region: this.#config.relay.region, addrs: this.#o.host.libp2p.getMultiaddrs().map(String) };
    this.#addrs = addressesOf(bestFirst(relays.live(), own)).map((addr) => multiaddr(addr));
    named.fromCluster(this.#addrs);
  }

  /**
   * Another process serves under this name. The other relays are let go at once, so that they link to that one; clients are sent elsewhere, and soon cut off: nobody
   * reaches them through this relay any more, and who does not know our notices has no other sign of it.
   */
  async #letGoOfAll(stopped: AbortSignal): Promise<void> {
    const relay = this.#o.relay();
    const linked = this.linked();
    try {
      await this.#links.stop();
      this.#disconnect((connection) => linked.has(connection.remotePeer.toString()));
      await relay.drain(AbortSignal.any([stopped, AbortSignal.timeout(NOTICE_MS)]), NOTICE_MS);
    } catch (error) {
      this.#o.log.debug({ error: errorMessage(error) }, 'clients could not be sent elsewhere');
    }
    // What runs after a stop is no affair of this run's.
    if (stopped.aborted) return;
    relay.endCircuits();
    this.#disconnect(() => true);
  }

  #disconnect(which: (connection: Connection) => boolean): void {
    const why = new Error("another process has taken this relay's identity");
    this.#o.host.libp2p.getConnections().filter(which).forEach((connection) => connection.abort(why));
  }
}
