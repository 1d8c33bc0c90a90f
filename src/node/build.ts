import { Registry } from 'prom-client';
import { ClientDialler, ClientSupervisor, supervisorSettings } from '../client/index.ts';
import type { RelaydConfig } from '../config/domain.ts';
import { isQuicAddress } from '../config/index.ts';
import { isDnsaddr } from '../discovery/index.ts';
import type { Discovery } from '../discovery/index.ts';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { DirectoryEndpoint } from '../lib/directory/endpoint.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import { quickSigner } from '../lib/signing.ts';
import type { RequestTracer } from '../lib/tracing/request-tracer.ts';
import type { AutonatClient, HolePunching } from '../reachability/index.ts';
import { Realm, RevocationSharing } from '../realm/index.ts';
import { RelayService } from '../relay/index.ts';
import { dataPath as makeParts } from '../transport/index.ts';
import type { DataPath, DataPathOptions } from '../transport/index.ts';
import { Tunnels } from '../tunnel/index.ts';
import { AddressPolicy } from './address-policy.ts';
import { certificateFor } from './certificate.ts';
import { ConnectionKeeper } from './connection-keeper.ts';
import { Coordination } from './coordination.ts';
import type { CoordinationOptions } from './coordination.ts';
import { makeDiscovery } from './discovery.ts';
import { EventLoopMonitor } from './event-loop.ts';
import type { NodeEmitter } from './events.ts';
import { makeHolePunching, sharesPorts } from './hole-punching.ts';
import { Host } from './host.ts';
import type { Identity } from './identity.ts';
import { NamedRelays } from './named-relays.ts';
import { OwnDials } from './own-dials.ts';
import { OwnToken } from './own-token.ts';
import { quicFor } from './quic.ts';
import { makeAutonatClient, makeAutonatServer } from './reachability.ts';
import { SelfCheck } from './self-check.ts';
import { readSwarmKey } from './swarm-key.ts';
import { tracingFor } from './tracing.ts';
import { VERSION } from './version.ts';

/** The rooms of one run of a node, wired to each other and not yet started. */
export interface Rooms {
  /** What is started, in this order. */
  readonly parts: readonly Part[];
  readonly registry: Registry;
  readonly addresses: AddressPolicy;
  readonly keeper: ConnectionKeeper;
  readonly host: Host;
  readonly directory: DirectoryEndpoint;
  readonly realm: Realm;
  /** This node's own. */
  readonly token: OwnToken;
  readonly sharing: RevocationSharing;
  readonly relay: RelayService | undefined;
  readonly coordination: Coordination | undefined;
  readonly client: ClientSupervisor | undefined;
  readonly reachability: AutonatClient | undefined;
  readonly punching: HolePunching | undefined;
  readonly discovery: Discovery;
  readonly tunnels: Tunnels | undefined;
  readonly dialler: ClientDialler;
  readonly selfCheck: SelfCheck;
  readonly eventLoop: EventLoopMonitor;
}

export interface BuildOptions {
  config: RelaydConfig;
  identity: Identity;
  clock: Clock;
  log: Logger;
  /** Hears what the client tells. */
  emitter: NodeEmitter;
  /** How the node is, for the other relays of its cluster. */
  condition: CoordinationOptions['condition'];
}

/** @throws RelaydError FILE_UNREADABLE for a swarm key or a cluster's secret that is none, FILE_UNWRITABLE */
export async function buildRooms(options: BuildOptions): Promise<Rooms> {
  const { config, clock, log } = options;
  const registry = new Registry();
  const addresses = new AddressPolicy(config.network.allowPrivate, configuredAddrs(config));
  let relay: RelayService | undefined;
  let client: ClientSupervisor | undefined;
  let reachability: AutonatClient | undefined;
  let discovery: Discovery | undefined;
  let coordination: Coordination | undefined;
  const eventLoop = new EventLoopMonitor(clock, registry);
  const realm = new Realm({ config: config.realm, dataDir: config.dataDir, clock, log, registry, inCluster: config.role !== 'client' && config.coordination.backend !== 'none' });
  const token = new OwnToken(realm, config);
  const ownDials = new OwnDials();
  const keeper = new ConnectionKeeper({
    config: config.connections,
    prefixes: config.relay.prefixes,
    clock,
    log,
    registry,
    isOwn: (addr) => ownDials.includes(addr),
    isProtected: () => {
      const peers = new Set([...(relay?.protectedPeers() ?? []), ...(coordination?.linked() ?? [])]);
      return (connection) => peers.has(connection.remotePeer.toString()) || client?.carries(connection) === true || discovery?.carries(connection) === true;
    },
  });
  const quic = await quicFor(config, log);
  const certificate = certificateFor(config.network, { clock, log, registry });
  const dataPath = await makeDataPath(config, addresses, { quic, sharePorts: await sharesPorts(config, log), webSocket: { certificate: certificate?.context } });
  const host = await Host.create({ ...options, dataPath, addresses, keeper, registry, tokenFor: token.forRelay, denied: () => reachability?.denied ?? [] });
  // The library's own parts, whatever this node's are: as other programs' peers would come, and its TCP dials from the port that it is given. QUIC's
  // do not: where the node listens on nothing else, the check counts as anybody does.
  const selfCheck = await SelfCheck.create(ownDials.recognised(await makeDataPath(config, addresses, { kind: 'stock', webSocket: { trustAny: true }, ...(config.network.listen.every(isQuicAddress) ? { quic } : {}) })));
  const directory = new DirectoryEndpoint({ host: host.libp2p, clock, log });
  const sharing = new RevocationSharing({ host: host.libp2p, realm, authority: config.realm.authority, clock, log, registry });
  const tracing = await tracingFor(config, clock, log);
  const named = new NamedRelays((addrs) => relay?.setAlternatives(addrs));
  coordination = config.role === 'client' ? undefined : await Coordination.create({ ...options, registry, host, addresses, realm, named, relay: () => relay as RelayService });
  relay = config.role === 'client' ? undefined : makeRelay(options, { host, directory, realm, selfCheck, registry, eventLoop, coordination }, tracing);
  client = config.role === 'relay' ? undefined : makeClient(options, { host, directory, token, registry });
  reachability = client === undefined ? undefined : makeAutonatClient(options, client, { host, addresses, registry });
  discovery = makeDiscovery({ config, host, addresses, named, client, clock, log, registry });
  const autonatServer = config.role === 'client' ? undefined : await makeAutonatServer(options, host, await makeDataPath(config, addresses, { quic }), registry);
  const dialler = new ClientDialler({ components: host.components, registry, clock, lookup: config.discovery.dht.enabled, ...(client === undefined ? {} : { relays: client }) });
  const punching = makeHolePunching(options, { host, addresses, registry });
  const tunnels = makeTunnels(options, { host, dialler, realm, token, registry });
  // HOP and the directory are offered before the first connection can come: a client that came back at once would take this for no relay.
  const parts = [realm, eventLoop, tracing, certificate, directory, sharing, relay, autonatServer, host, ...(coordination?.parts ?? []), dialler, punching, reachability, client, discovery, tunnels].filter((part) => part !== undefined);
  return { parts, registry, addresses, keeper, host, directory, realm, token, sharing, relay, coordination, client, reachability, punching, discovery, tunnels, dialler, selfCheck, eventLoop };
}

/** The addresses that the operator wrote, which are dialled wherever they lead; what a DNS name lists was written by whoever has the name. */
export function configuredAddrs(config: Pick<RelaydConfig, 'client' | 'discovery' | 'coordination'>): string[] {
  return [...config.client.relays, ...config.discovery.bootstrap, ...config.coordination.relays].filter((addr) => !isDnsaddr(addr));
}

type PathOptions = Pick<DataPathOptions, 'quic' | 'sharePorts' | 'webSocket'> & { kind?: 'native' | 'stock' };

async function makeDataPath(config: RelaydConfig, addresses: AddressPolicy, { kind = config.network.dataPath, ...options }: PathOptions): Promise<DataPath> {
  const { limits, memberLimits } = config.relay;
  return makeParts(kind, {
    security: config.network.security,
    swarmKey: await readSwarmKey(config.network.swarmKeyFile),
    windowBytes: Math.max(limits.memory.perDirection, memberLimits.memory.perDirection),
    lookup: addresses.lookup,
    // Whether a socket is silent is a matter of real time, whatever clock reservations run on.
    clock: systemClock,
    ...options,
  });
}

function makeRelay({ config, identity, clock, log }: BuildOptions, { host: { libp2p }, directory, realm, selfCheck, registry, eventLoop, coordination }: Pick<Rooms, 'host' | 'directory' | 'realm' | 'selfCheck' | 'registry' | 'eventLoop' | 'coordination'>, tracer: RequestTracer | undefined): RelayService {
  return new RelayService({
    host: {
      peerId: identity.peerId,
      privateKey: quickSigner(identity.privateKey),
      handle: (protocol, handler, options) => libp2p.handle(protocol, handler, options),
      unhandle: (protocol) => libp2p.unhandle(protocol),
      getConnections: (peer) => libp2p.getConnections(peer),
      getMultiaddrs: () => libp2p.getMultiaddrs(),
      addEventListener: (type, listener) => libp2p.addEventListener(type, listener),
      removeEventListener: (type, listener) => libp2p.removeEventListener(type, listener),
    },
    config: config.relay,
    realm: config.realm,
    verifier: realm,
    internalPeers: selfCheck.peers,
    eventLoopDelayMs: () => eventLoop.p99Ms(),
    addresses: { announced: config.network.announce.length > 0, allowPrivate: config.network.allowPrivate },
    directory,
    tracer,
    cluster: coordination?.cluster,
    clusterLimits: config.coordination,
    clusterAddrs: coordination?.addrs,
    version: VERSION,
    clock,
    log,
    registry,
  });
}

function makeClient({ config, clock, log, emitter }: BuildOptions, { host: { components }, directory, token, registry }: Pick<Rooms, 'host' | 'directory' | 'token' | 'registry'>): ClientSupervisor {
  const client = new ClientSupervisor({ components, settings: supervisorSettings(config), directory, log, registry, clock, tokenFor: token.forRelay });
  client.on('reservation:opened', (event) => emitter.emit('reservation:opened', event));
  client.on('reservation:renewed', (event) => emitter.emit('reservation:renewed', event));
  client.on('reservation:lost', (event) => emitter.emit('reservation:lost', event));
  client.on('addresses:changed', (event) => emitter.emit('addresses:changed', event));
  return client;
}

function makeTunnels({ config, clock, log }: BuildOptions, { host: { libp2p }, dialler, realm, token, registry }: Pick<Rooms, 'host' | 'dialler' | 'realm' | 'token' | 'registry'>): Tunnels | undefined {
  const { expose, forward } = config.tunnels;
  if (expose.length + forward.length === 0) {
    return undefined;
  }
  return new Tunnels({ expose, forward, libp2p, dialler, verifier: realm, token: token.forTunnel, log, registry, clock });
}
