import type { Connection, PeerDiscovery } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Registry } from 'prom-client';
import type { RelaydConfig } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import type { FoundPeer, KnownRelay } from '../lib/contracts.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import { NamedAddresses } from './address-lists.ts';
import type { AddressLists } from './address-lists.ts';
import { BootstrapDials } from './bootstrap-dials.ts';
import { DhtRelays } from './dht-relays.ts';
import type { IsUsable } from './found.ts';
import type { DiscoveryHost, Dht } from './host.ts';
import { LocalPeers } from './local-peers.ts';
import { DiscoveryMetrics } from './metrics.ts';
import type { FoundSource } from './metrics.ts';
import { RelayCache } from './relay-cache.ts';
import { addressLists, findsRelays } from './settings.ts';
import { txtRecords } from './txt-records.ts';

export interface DiscoveryOptions {
  readonly config: RelaydConfig;
  readonly host: DiscoveryHost;
  readonly dht: Dht | undefined;
  readonly mdns: PeerDiscovery | undefined;
  readonly isUsable: IsUsable;
  /** Whether anyone could reach this node by what it announces. */
  readonly isReachable: () => boolean;
  /** Takes the whole set that a source names now. */
  readonly onFound: (source: FoundSource, peers: readonly (FoundPeer | KnownRelay)[]) => void;
  /** The addresses of the configuration, with names replaced by what they stand for. */
  readonly onLists: (lists: AddressLists) => void;
  /** Other relays of the network, for a relay to name. */
  readonly onAlternatives: (addrs: readonly Multiaddr[]) => void;
  /** Relays that have served, to be kept. */
  readonly known: () => readonly KnownRelay[];
  readonly clock: Clock;
  readonly random?: () => number;
  readonly log: Logger;
  readonly registry: Registry;
}

/**
 * How a node finds relays and is found: the DHT, the local network, names in the DNS, and what an earlier run knew. It gives what it finds
 * to whoever uses it and judges none of it: whether a peer relays, and answers, the client finds out.
 */
export class Discovery implements Part {
  readonly name = 'discovery';
  readonly #o: DiscoveryOptions;
  readonly #metrics: DiscoveryMetrics;
  readonly #names: NamedAddresses;
  readonly #bootstrap: BootstrapDials | undefined;
  readonly #inDht: DhtRelays | undefined;
  readonly #local: LocalPeers | undefined;
  readonly #cache: RelayCache | undefined;

  constructor(options: DiscoveryOptions) {
    const { config, host, dht, mdns, isUsable } = options;
    const base = { clock: options.clock, random: options.random ?? Math.random, log: options.log, metrics: new DiscoveryMetrics(options.registry) };
    const isClient = config.role !== 'relay';
    this.#o = options;
    this.#metrics = base.metrics;
    this.#names = new NamedAddresses({ ...base, lists: addressLists(config), lookUp: txtRecords(config.discovery.dnsServers), onChange: (lists) => this.#listed(lists) });
    // A client that is in no DHT connects to its bootstrap peers itself, to ask whether they relay.
    this.#bootstrap = dht !== undefined || !isClient ? new BootstrapDials({ ...base, host }) : undefined;
    this.#inDht = dht === undefined ? undefined : new DhtRelays({ ...options, ...base, dht, onFound: (peers) => this.#found('dht', peers) });
    this.#local = mdns === undefined || !isClient ? undefined : new LocalPeers({ ...base, mdns, self: host.peerId, isUsable, onFound: (peers) => this.#found('mdns', peers) });
    this.#cache = isClient && findsRelays(config) ? new RelayCache({ ...base, dataDir: config.dataDir, isUsable, known: options.known }) : undefined;
  }

  async start(): Promise<void> {
    this.#warnOfLan();
    this.#local?.start();
    this.#names.start();
    this.#bootstrap?.update(this.#names.lists.bootstrap);
    this.#bootstrap?.start();
    this.#inDht?.start();
    this.#found('cache', (await this.#cache?.load()) ?? []);
  }

  async stop(): Promise<void> {
    this.#bootstrap?.stop();
    this.#names.stop();
    this.#local?.stop();
    await this.#inDht?.stop();
    await this.#cache?.stop();
  }

  /** This relay goes: it makes no further record of itself. What is found goes on. */
  async withdraw(): Promise<void> {
    await this.#inDht?.withdraw();
  }

  /** The addresses to use now, names replaced. */
  get lists(): AddressLists {
    return this.#names.lists;
  }

  /** Takes a changed configuration. */
  update(lists: AddressLists): void {
    this.#names.update(lists);
  }

  /** Whether the client has fewer relays than it would like. */
  want(wanted: boolean): void {
    this.#inDht?.want(wanted);
  }

  /** The relays that have served are others than before. */
  knownChanged(): void {
    this.#cache?.changed();
  }

  /** Whether `connection` is what keeps this node in the DHT. */
  carries(connection: Connection): boolean {
    return this.#bootstrap?.carries(connection) === true;
  }

  #warnOfLan(): void {
    const { config, log } = this.#o;
    if (config.discovery.mdns && !config.network.allowPrivate) {
      log.warn({}, 'discovery.mdns finds peers at addresses of the local network, which network.allowPrivate: false neither dials nor tells');
    }
  }

  #listed(lists: AddressLists): void {
    this.#bootstrap?.update(lists.bootstrap);
    this.#o.onLists(lists);
  }

  #found(source: FoundSource, peers: readonly (FoundPeer | KnownRelay)[]): void {
    this.#metrics.found(source, peers.length);
    this.#o.onFound(source, peers);
  }
}
