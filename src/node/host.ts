import { identify, identifyPush } from '@libp2p/identify';
import type { ConnectionGater, PeerDiscovery } from '@libp2p/interface';
import { kadDHT } from '@libp2p/kad-dht';
import type { KadDHT } from '@libp2p/kad-dht';
import { mdns } from '@libp2p/mdns';
import { ping } from '@libp2p/ping';
import type { Ping } from '@libp2p/ping';
import { CODE_P2P, multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p, Libp2pOptions, ServiceFactoryMap } from 'libp2p';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Registry } from 'prom-client';
import { circuitTransport, clientService } from '../client/index.ts';
import type { ClientComponents, ClientService } from '../client/index.ts';
import type { RelaydConfig } from '../config/domain.ts';
import { isQuicAddress } from '../config/index.ts';
import { boundProviders, dhtOptions } from '../discovery/index.ts';
import { isCircuit, ownAddress } from '../lib/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import { RelaydError, errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import type { TokenFor } from '../lib/membership/token-for.ts';
import { quickSigner } from '../lib/signing.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { ConnectionKeeper } from './connection-keeper.ts';
import { ANY_ADDRESS, listQuickly, stopPruner } from './connection-list.ts';
import { identifyAnswers } from './identify-answers.ts';
import type { Identity } from './identity.ts';
import { libp2pLogger } from './libp2p-logger.ts';
import { libp2pMetrics } from './libp2p-metrics.ts';
import { listenProblem } from './listen-problem.ts';
import { GonePeers, forgetProtocols } from './peer-memory.ts';
import { VERSION } from './version.ts';

export interface HostOptions {
  config: RelaydConfig;
  identity: Identity;
  dataPath: Pick<Libp2pOptions, 'transports' | 'connectionEncrypters' | 'streamMuxers' | 'connectionProtector'>;
  addresses: AddressPolicy;
  keeper: ConnectionKeeper;
  clock: Clock;
  log: Logger;
  registry: Registry;
  /** This node's own token, for the relays that it dials through. */
  tokenFor: TokenFor;
  /** Addresses of this node under which peers did not reach it. */
  denied: () => readonly string[];
}

/** An upper bound of ours is in force long before these; libp2p's own (300, 10, 5 a second) refuse honest clients behind a NAT. */
const NO_LIMIT = 1_000_000;

/** A peer's identify may name this many addresses; more are not kept. */
const MAX_PEER_ADDRS = 32;

/**
 * Connected peers are told of a changed address when nothing has changed for so long. The library waits a second, in which they
 * would dial a dead relay; the changes that one loss brings lie closer together than this.
 */
const PUSH_AFTER_MS = 100;

const FOREVER_MS = 100 * 365 * 24 * 3_600_000;

/** A type, not an interface: libp2p's own map of services is closed to what it does not name. */
type Services = { client: ClientService; ping: Ping; dht?: KadDHT; mdns?: PeerDiscovery };

/** The libp2p node underneath: made once, started and stopped as a part. */
export class Host implements Part {
  readonly name = 'host';
  readonly libp2p: Libp2p<Services>;
  readonly components: ClientComponents;
  readonly #o: HostOptions;
  readonly #gone: GonePeers;
  /** Addresses that peers made up and that work. */
  #guesses: readonly Multiaddr[] = [];

  static async create(options: HostOptions): Promise<Host> {
    const libp2p = await createLibp2p({ ...hostConfig(options), services: services(options) });
    return new Host(options, libp2p);
  }

  private constructor(options: HostOptions, libp2p: Libp2p<Services>) {
    this.#o = options;
    this.libp2p = libp2p;
    this.components = libp2p.services.client.components;
    listQuickly(this.components.connectionManager);
    const providers = libp2p.services.dht === undefined ? undefined : boundProviders(libp2p.services.dht, libp2p.peerStore, options.clock);
    this.#gone = new GonePeers({
      store: libp2p.peerStore,
      isConnected: (peer) => libp2p.getConnections(peer).length > 0,
      isNeeded: (peer) => providers?.provides(peer) === true,
      clock: options.clock,
      log: options.log,
    });
    if (isOnlyRelay(options.config)) {
      forgetProtocols(this.components.peerStore, libp2p.peerId);
    }
  }

  /** @throws RelaydError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE */
  async start(): Promise<void> {
    const { keeper } = this.#o;
    this.libp2p.addEventListener('connection:open', keeper.opened);
    this.libp2p.addEventListener('connection:close', keeper.closed);
    this.libp2p.addEventListener('peer:disconnect', this.#forgetPeer);
    try {
      await this.libp2p.start();
    } catch (error) {
      throw await listenError(this.#o.config.network.listen, error);
    }
    stopPruner(this.components.connectionManager);
    await this.#checkListeners();
    this.#warnOfForeignAddresses();
    this.#confirmListenAddresses();
    this.#dropAddressSeries();
  }

  async stop(): Promise<void> {
    await this.libp2p.stop();
    const { keeper } = this.#o;
    this.libp2p.removeEventListener('connection:open', keeper.opened);
    this.libp2p.removeEventListener('connection:close', keeper.closed);
    this.libp2p.removeEventListener('peer:disconnect', this.#forgetPeer);
    this.#gone.stop();
  }

  /** The addresses of the sockets themselves, whatever is announced. */
  listenAddrs(): Multiaddr[] {
    return this.components.transportManager.getAddrs();
  }

  /**
   * Takes what peers found: tells others of `guesses` (addresses that are not this node's own word, and work), no more of those that
   * no longer work, and nothing of those that it was denied.
   */
  tellConfirmed(guesses: readonly Multiaddr[]): void {
    const { addressManager, peerStore, peerId } = this.components;
    const kept = new Set(guesses.map(String));
    this.#guesses.filter((addr) => !kept.has(addr.toString())).forEach((addr) => addressManager.removeObservedAddr(addr));
    guesses.forEach((addr) => addressManager.confirmObservedAddr(addr, { type: 'observed', ttl: FOREVER_MS }));
    this.#guesses = guesses;
    // The node's own record, from which identify pushes and the DHT takes its mode.
    const multiaddrs = addressManager.getAddresses().map((addr) => addr.decapsulateCode(CODE_P2P));
    peerStore.patch(peerId, { multiaddrs }).catch((error: unknown) => this.#o.log.debug({ error: errorMessage(error) }, 'the peer store did not take the own addresses'));
  }

  /**
   * libp2p goes on when only the IPv6 listeners failed, whatever the reason: right where the machine has no IPv6, wrong
   * where the port is taken.
   */
  async #checkListeners(): Promise<void> {
    const families = new Set(this.listenAddrs().map((addr) => addr.getComponents()[0]?.name));
    for (const addr of this.#o.config.network.listen.filter((text) => text.startsWith('/ip6/') && !families.has('ip6'))) {
      const problem = await probe(addr);
      if (problem?.code === 'ADDRESS_IN_USE') {
        await this.libp2p.stop();
        throw problem;
      }
      this.#o.log.info({ addr, reason: problem?.message }, 'not listening on an IPv6 address');
    }
  }

  /** libp2p's TCP labels some series with the address of the listener; no label of ours takes one. */
  #dropAddressSeries(): void {
    const { registry } = this.#o;
    const labelled = registry.getMetricsAsArray().filter((metric) => metric.name.startsWith('libp2p_tcp_') && (metric as { labelNames?: string[] }).labelNames?.includes('address'));
    labelled.forEach(({ name }) => registry.removeSingleMetric(name));
  }

  #warnOfForeignAddresses(): void {
    const { config, identity, log } = this.#o;
    for (const addr of config.network.announce.filter((text) => ownAddress(multiaddr(text), identity.peerId.toString()).length === 0)) {
      log.warn({ addr, peerId: identity.peerId.toString() }, 'network.announce: not announced, because it ends in the id of another peer; leave /p2p/… out');
    }
  }

  /** libp2p tells nobody a public address before AutoNAT confirms it; a listener that the operator configured is confirmed. */
  #confirmListenAddresses(): void {
    for (const addr of this.listenAddrs()) {
      this.components.addressManager.confirmObservedAddr(addr, { type: 'transport', ttl: FOREVER_MS });
    }
  }

  /** A relay meets many peers once; what it knows of them goes with their last connection, but for what the DHT needs. */
  readonly #forgetPeer = (event: CustomEvent<Libp2p['peerId']>): void => {
    const { config, log } = this.#o;
    if (isOnlyRelay(config)) {
      this.libp2p.peerStore.delete(event.detail).catch((error: unknown) => log.debug({ error: errorMessage(error) }, 'a peer could not be forgotten'));
    } else if (config.role === 'relay') {
      this.#gone.add(event.detail);
    }
  };
}

/** It serves whoever comes, and looks for nobody. */
function isOnlyRelay({ role, discovery }: RelaydConfig): boolean {
  return role === 'relay' && !discovery.dht.enabled;
}

function hostConfig(options: HostOptions): Libp2pOptions {
  const { config, identity, dataPath, clock, log, registry, tokenFor } = options;
  const circuits = circuitTransport({ registry, clock, accept: config.role !== 'relay', tokenFor });
  return {
    ...dataPath,
    start: false,
    privateKey: quickSigner(identity.privateKey),
    nodeInfo: { name: 'p2p-relayd', version: VERSION, userAgent: `p2p-relayd/${VERSION}` },
    logger: libp2pLogger(log),
    addresses: { listen: [...config.network.listen], announce: [], announceFilter: (addrs) => announced(options, addrs) },
    transports: [...(dataPath.transports ?? []), circuits],
    connectionGater: gater(options),
    connectionManager: { allow: ANY_ADDRESS, maxConnections: NO_LIMIT, maxIncomingPendingConnections: NO_LIMIT, inboundConnectionThreshold: NO_LIMIT, maxPeerAddrsToDial: MAX_PEER_ADDRS },
    // It opens a ping stream to every connection every ten seconds; the client supervisor probes what matters.
    connectionMonitor: { enabled: false },
    metrics: libp2pMetrics(registry),
  };
}

function services({ config, clock }: HostOptions): ServiceFactoryMap<Services> {
  const { dht, mdns: local } = config.discovery;
  const always = { client: clientService(), ping: ping(), ...(local ? { mdns: mdns() } : {}) };
  if (isOnlyRelay(config)) {
    const relayOnly = { ...always, identify: identifyAnswers(clock) };
    return relayOnly;
  }
  const talks = { ...always, identify: identify(), identifyPush: identifyPush({ debounce: PUSH_AFTER_MS }) };
  return { ...talks, ...(dht.enabled ? { dht: kadDHT(dhtOptions(config)) } : {}) };
}

function gater({ addresses, keeper }: HostOptions): ConnectionGater {
  return {
    denyDialMultiaddr: (addr) => !addresses.mayDial(addr),
    denyInboundConnection: keeper.refuseInbound,
    denyInboundUpgradedConnection: (_peer, connection) => {
      keeper.upgraded(connection);
      return false;
    },
  };
}

/**
 * What others are told: the operator's addresses instead of the listeners', and only those that can be of use to them. A relay
 * where none is public tells what it has (it may serve one network); a client then tells nothing but its circuits, and never an address
 * under which peers did not reach it.
 */
function announced({ config, identity, addresses, denied }: HostOptions, found: Multiaddr[]): Multiaddr[] {
  const circuits = found.filter(isCircuit);
  if (config.network.announce.length > 0) {
    return [...circuits, ...config.network.announce.flatMap((addr) => ownAddress(multiaddr(addr), identity.peerId.toString()))];
  }
  const own = found.filter((addr) => !isCircuit(addr));
  const closed = new Set(config.role === 'client' ? denied() : []);
  const usable = own.filter((addr) => addresses.mayTell(addr) && !closed.has(addr.decapsulateCode(CODE_P2P).toString()));
  return [...circuits, ...(usable.length === 0 && config.role !== 'client' ? own : usable)];
}

async function listenError(listen: readonly string[], cause: unknown): Promise<unknown> {
  for (const addr of listen) {
    const problem = await probe(addr);
    if (problem !== undefined) {
      return problem;
    }
  }
  return new RelaydError('START_FAILED', `libp2p did not start: ${errorMessage(cause)}`, { cause });
}

/** Tries `addr` by itself, to say which of several addresses is the trouble and why. */
async function probe(addr: string): Promise<RelaydError | undefined> {
  try {
    await bind(addr);
    return undefined;
  } catch (cause) {
    return listenProblem(addr, cause);
  }
}

/** Takes the port of `addr`, and gives it back at once. @throws Error of the system */
async function bind(addr: string): Promise<void> {
  const [, , host, , port] = addr.split('/');
  const ipv6 = addr.startsWith('/ip6/');
  const where = { port: Number(port), ipv6Only: ipv6 };
  if (isQuicAddress(addr)) {
    const socket = createSocket({ type: ipv6 ? 'udp6' : 'udp4' });
    const bound = once(socket, 'listening');
    socket.bind({ address: host, port: where.port, exclusive: true });
    await bound.finally(() => socket.close());
  } else {
    const server = createServer().listen({ host, ...where });
    await once(server, 'listening').finally(() => server.close());
  }
}
