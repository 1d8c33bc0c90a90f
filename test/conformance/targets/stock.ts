import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import type { CircuitRelayService, ServerReservationStoreInit } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { FaultTolerance } from '@libp2p/interface';
import type { ConnectionGater } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { NotOffered } from './target.ts';
import type { ClientOptions, ClientTarget, Insight, RelayOptions, RelayTarget } from './target.ts';
import { peerEncrypter } from '../variant.ts';
import { within } from '../waiting.ts';
import { HOP, STOP } from '../wire.ts';

/** js-libp2p's own relay and circuit transport (@libp2p/circuit-relay-v2): what the suite must be able to fail. */
type StockNode = Libp2p<{ relay: CircuitRelayService }>;

export async function startStockRelay(options: RelayOptions): Promise<RelayTarget> {
  refuseWhatItLacks(options);
  const node = (await createLibp2p({
    ...hostOptions(options.connections?.high),
    addresses: { listen: listenOn(options), announce: options.announce ?? [] },
    transports: options.reachableThrough === undefined ? [tcp()] : [tcp(), circuitRelayTransport()],
    connectionGater: relayGater(options),
    services: { identify: identify(), ping: ping(), relay: circuitRelayServer({ reservations: reservationOptions(options) }) },
  })) as StockNode;
  return new StockRelay(node);
}

export async function startStockClient(options: ClientOptions): Promise<ClientTarget> {
  const node = await createLibp2p({
    ...hostOptions(),
    addresses: { listen: options.relays.map((addr) => `${addr}/p2p-circuit`) },
    // One reservation at a time, its default, hangs start() with two relays.
    transports: [tcp(), circuitRelayTransport({ reservationConcurrency: 10 })],
    transportManager: { faultTolerance: FaultTolerance.NO_FATAL },
    connectionGater: { denyDialMultiaddr: () => false, denyInboundRelayedConnection: () => options.refuseRelayed === true },
    services: { identify: identify() },
  });
  return {
    peerId: node.peerId,
    holds: async () => node.getMultiaddrs().flatMap((addr) => relayOf(addr.toString())),
    stop: () => stopNode(node),
  };
}

class StockRelay implements RelayTarget {
  readonly #node: StockNode;

  constructor(node: StockNode) {
    this.#node = node;
  }

  get peerId(): RelayTarget['peerId'] {
    return this.#node.peerId;
  }

  get addr(): string {
    return `${this.#listening()}/p2p/${this.#node.peerId}`;
  }

  /** The real one: `getMultiaddrs` tells the announced addresses, where there are such. */
  #listening(): string {
    const { components } = this.#node as unknown as { components: { transportManager: { getAddrs(): Multiaddr[] } } };
    const found = components.transportManager.getAddrs().map(String).find((addr) => addr.startsWith('/ip4/127.0.0.1/tcp/') && !addr.includes('/p2p-circuit'));
    if (found === undefined) throw new Error('js-libp2p does not listen on loopback');
    return found;
  }

  async restart(): Promise<void> {
    await this.#node.stop();
    await this.#node.start();
  }

  async insight(): Promise<Insight> {
    const reservations = this.#node.services.relay.reservations;
    const streams = this.#node.getConnections().flatMap((connection) => connection.streams);
    return {
      reservations: reservations.size,
      streams: streams.filter(({ protocol }) => protocol === HOP || protocol === STOP).length,
      expiries: new Map([...reservations].map(([peer, { expiry }]) => [peer.toString(), expiry.getTime() / 1000])),
    };
  }

  stop(): Promise<void> {
    return stopNode(this.#node);
  }
}

function refuseWhatItLacks(options: RelayOptions): void {
  const lacking: [keyof RelayOptions, string][] = [
    ['reservationsPerPrefix', 'a limit of reservations per prefix'],
    ['reservesPerHour', 'a limit of RESERVE requests'],
    ['circuitsPerSource', 'a limit of circuits per source'],
    ['circuitsPerTarget', 'a limit of circuits per target'],
    ['maxCircuits', 'a limit of circuits in all'],
  ];
  const missing = lacking.find(([option]) => options[option] !== undefined);
  if (missing !== undefined) {
    throw new NotOffered(missing[1]);
  }
}

/** Its durations are milliseconds; it has no word for "unlimited" in one of the two, for which the specification has 0. */
function reservationOptions(options: RelayOptions): ServerReservationStoreInit {
  const { ttlSeconds = 3_600, durationSeconds, bytesPerDirection, maxReservations } = options;
  return {
    maxReservations,
    reservationTtl: ttlSeconds * 1_000,
    applyDefaultLimit: durationSeconds !== 'unlimited' || bytesPerDirection !== 'unlimited',
    defaultDurationLimit: durationSeconds === 'unlimited' ? 0 : (durationSeconds ?? 120) * 1_000,
    defaultDataLimit: bytesPerDirection === 'unlimited' ? 0n : BigInt(bytesPerDirection ?? 131_072),
  };
}

function relayGater({ deny }: RelayOptions): ConnectionGater {
  const denied = (list: string[] | undefined, peer: { toString(): string }): boolean => list?.includes(peer.toString()) === true;
  return {
    denyDialMultiaddr: () => false,
    denyInboundRelayReservation: (source) => denied(deny?.reserve, source),
    denyOutboundRelayedConnection: (source, target) => denied(deny?.connect, source) || denied(deny?.target, target),
  };
}

function listenOn({ reachableThrough }: RelayOptions): string[] {
  const direct = ['/ip4/127.0.0.1/tcp/0'];
  return reachableThrough === undefined ? direct : [...direct, `${reachableThrough}/p2p-circuit`];
}

function hostOptions(maxConnections = 300) {
  return {
    connectionEncrypters: [peerEncrypter()],
    streamMuxers: [yamux()],
    connectionManager: { maxConnections, inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 100 },
    connectionMonitor: { enabled: false },
  };
}

function relayOf(addr: string): string[] {
  const relay = /\/p2p\/([^/]+)\/p2p-circuit/.exec(addr)?.[1];
  return relay === undefined ? [] : [relay];
}

async function stopNode(node: Libp2p): Promise<void> {
  node.getConnections().forEach((connection) => connection.abort(new Error('the test is over')));
  await within(Promise.resolve(node.stop()), 5_000, 'stopping js-libp2p').catch(() => {});
}
