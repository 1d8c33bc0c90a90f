import { Registry } from 'prom-client';
import type { RelaydConfig } from '../config/domain.ts';
import { multiaddr } from '@multiformats/multiaddr';
import type { Clock } from '../lib/clock.ts';
import type { ClientView, Dialler } from '../lib/contracts.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Tunnels } from '../tunnel/index.ts';
import type { NodeEmitter } from './events.ts';
import type { Logger } from '../lib/logger.ts';
import { RelayService } from '../relay/index.ts';
import { stockDataPath } from '../transport/index.ts';
import { AddressPolicy } from './address-policy.ts';
import { ConnectionKeeper } from './connection-keeper.ts';
import { Host } from './host.ts';
import type { Identity } from './identity.ts';
import { SelfCheck } from './self-check.ts';
import { readSwarmKey } from './swarm-key.ts';

/** The rooms of one run of a node, wired to each other and not yet started. */
export interface Rooms {
  /** What is started, in this order. */
  readonly parts: readonly Part[];
  readonly registry: Registry;
  readonly addresses: AddressPolicy;
  readonly keeper: ConnectionKeeper;
  readonly host: Host;
  readonly relay: RelayService | undefined;
  readonly client: ClientView | undefined;
  readonly tunnels: Tunnels | undefined;
  readonly dialler: Dialler;
  readonly selfCheck: SelfCheck;
}

export interface BuildOptions {
  config: RelaydConfig;
  identity: Identity;
  clock: Clock;
  log: Logger;
  emitter: NodeEmitter;
}

/** @throws RelaydError FILE_UNREADABLE for a swarm key that is none */
export async function buildRooms(options: BuildOptions): Promise<Rooms> {
  const { config, identity, clock, log } = options;
  const registry = new Registry();
  const addresses = new AddressPolicy(config.network.allowPrivate, [...config.client.relays, ...config.discovery.bootstrap]);
  let relay: RelayService | undefined;
  const keeper = new ConnectionKeeper({ config: config.connections, prefixes: config.relay.prefixes, clock, log, registry, protectedPeers: () => relay?.protectedPeers() ?? new Set() });
  const dataPath = stockDataPath({
    security: config.network.security,
    swarmKey: await readSwarmKey(config.network.swarmKeyFile),
    windowBytes: Math.max(config.relay.limits.memory.perDirection, config.relay.memberLimits.memory.perDirection),
    lookup: addresses.lookup,
  });
  const host = await Host.create({ config, identity, dataPath, circuitTransports: [], addresses, keeper, log, registry });
  const selfCheck = await SelfCheck.create(dataPath);
  if (config.role !== 'client') {
    relay = makeRelay(options, host, selfCheck, registry);
  }
  const dialler: Dialler = { dial: async (t, o) => { const c = await host.libp2p.dial(multiaddr(t), { signal: o.signal }); return { connection: c, path: 'direct', via: undefined, dialMs: 0 }; } };
  const parts: Part[] = relay === undefined ? [host] : [relay, host];
  return { registry, addresses, keeper, host, relay, selfCheck, parts, dialler, client: undefined, tunnels: undefined };
}

function makeRelay({ config, identity, clock, log }: BuildOptions, { libp2p }: Host, selfCheck: SelfCheck, registry: Registry): RelayService {
  return new RelayService({
    host: {
      peerId: identity.peerId,
      privateKey: identity.privateKey,
      handle: (protocol, handler, options) => libp2p.handle(protocol, handler, options),
      unhandle: (protocol) => libp2p.unhandle(protocol),
      getConnections: (peer) => libp2p.getConnections(peer),
      getMultiaddrs: () => libp2p.getMultiaddrs(),
      addEventListener: (type, listener) => libp2p.addEventListener(type, listener),
      removeEventListener: (type, listener) => libp2p.removeEventListener(type, listener),
    },
    config: config.relay,
    members: config.realm.members,
    internalPeers: selfCheck.peers,
    addresses: { announced: config.network.announce.length > 0, allowPrivate: config.network.allowPrivate },
    clock,
    log,
    registry,
  });
}
