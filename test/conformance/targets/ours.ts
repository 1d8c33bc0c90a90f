import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify } from '@libp2p/identify';
import { peerIdFromString } from '@libp2p/peer-id';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { Registry } from 'prom-client';
import type { ClientOptions, ClientTarget, Insight, RelayOptions, RelayTarget } from './target.ts';
import { listenAddr, peerEncrypter, peerTransports, variant } from '../variant.ts';
import { within } from '../waiting.ts';

/** p2p-relayd as a library, by what docs and interface.md promise of it and nothing deeper. */
interface OurNode {
  readonly peerId: string;
  readonly addrs: string[];
  readonly view: OurView;
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface OurView {
  status(): { relay?: { reservations: { count: number }; circuits: { count: number } } };
  reservations(): { peer: string; expiresAt: string }[];
  circuits(): unknown[];
  peers(): Promise<{ streams: number }[]>;
  relays(): { peer: string; state: string }[];
}

export async function startOurRelay(options: RelayOptions): Promise<RelayTarget> {
  const { node, stop, port } = await startRelayNode(options);
  const { peerId } = node;
  return {
    peerId: peerIdFromString(peerId),
    get addr() {
      return port === 0 ? loopback(node.addrs) : `${listenAddr(port)}/p2p/${peerId}`;
    },
    restart: async () => {
      await node.stop();
      await node.start();
    },
    insight: () => insightOf(node.view),
    stop,
  };
}

/** With `announce`, `addrs` does not tell the real port: it must be known before, and another program may take it first. */
async function startRelayNode(options: RelayOptions, tries = 5): Promise<{ node: OurNode; stop: () => Promise<void>; port: number }> {
  const port = options.announce === undefined ? 0 : await freePort();
  try {
    return { ...(await startNode(relayConfig(options, port))), port };
  } catch (error) {
    if (tries > 1 && (error as { code?: string }).code === 'ADDRESS_IN_USE') {
      return await startRelayNode(options, tries - 1);
    }
    throw error;
  }
}

export async function startOurClient(options: ClientOptions): Promise<ClientTarget> {
  if (options.refuseRelayed === true) {
    return startGatedClient(options);
  }
  const { node, stop } = await startNode({
    ...common(),
    role: 'client',
    network: { listen: [], allowPrivate: true, dataPath: variant.dataPath, security: [variant.security] },
    client: { relays: options.relays, desired: Math.max(1, options.relays.length) },
  });
  return {
    peerId: peerIdFromString(node.peerId),
    holds: async () => node.view.relays().flatMap(({ peer, state }) => (state === 'reserved' ? [peer] : [])),
    stop,
  };
}

/** The daemon has no gater to set: its transport, in a libp2p node that has one. It connects and reserves nothing. */
async function startGatedClient({ relays }: ClientOptions): Promise<ClientTarget> {
  const { circuitTransport } = (await ours('client/index.ts')) as { circuitTransport: TransportFactory };
  const node = await createLibp2p({
    transports: [...peerTransports(), circuitTransport({ registry: new Registry() })],
    connectionEncrypters: [peerEncrypter()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false, denyInboundRelayedConnection: () => true },
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  });
  await Promise.all(relays.map((relay) => node.dial(multiaddr(relay), { signal: AbortSignal.timeout(5_000) })));
  return { peerId: node.peerId, holds: async () => [], stop: async () => node.stop() };
}

type TransportFactory = (options: { registry: Registry }) => ReturnType<typeof peerTransports>[0];

async function insightOf(view: OurView): Promise<Insight> {
  const reservations = view.reservations();
  const peers = await view.peers();
  const { relay } = view.status();
  return {
    // What is counted against the limits, and what is listed: something left in either is a leak.
    reservations: Math.max(relay?.reservations.count ?? 0, reservations.length),
    circuits: Math.max(relay?.circuits.count ?? 0, view.circuits().length),
    streams: peers.reduce((sum, { streams }) => sum + streams, 0),
    expiries: new Map(reservations.map(({ peer, expiresAt }) => [peer, Date.parse(expiresAt) / 1000])),
  };
}

async function startNode(config: Record<string, unknown>): Promise<{ node: OurNode; stop: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'relayd-conformance-'));
  const remove = (): Promise<void> => rm(dataDir, { recursive: true, force: true });
  try {
    const node = await createNode({ ...config, dataDir });
    await node.start();
    const stop = async (): Promise<void> => {
      try {
        await within(node.stop(), 10_000, 'stopping p2p-relayd');
      } finally {
        await remove();
      }
    };
    return { node, stop };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function createNode(config: Record<string, unknown>): Promise<OurNode> {
  const library = (await ours('index.ts')) as { createRelayNode(config: object): Promise<OurNode> };
  return library.createRelayNode(config);
}

/** Not a static import: the suite is also run against the other relays alone. */
function ours(file: string): Promise<unknown> {
  return import(new URL(`../../../src/${file}`, import.meta.url).href);
}

function common(): Record<string, unknown> {
  return { profile: 'tier1', admin: { listen: '127.0.0.1:0' }, log: { level: 'silent' } };
}

function relayConfig(options: RelayOptions, port: number): Record<string, unknown> {
  const through = options.reachableThrough;
  return {
    ...common(),
    role: through === undefined ? 'relay' : 'both',
    network: { listen: [listenAddr(port)], announce: options.announce ?? [], allowPrivate: true, dataPath: variant.dataPath, security: [variant.security] },
    ...(options.connections && { connections: options.connections }),
    ...(through !== undefined && { client: { relays: [through], desired: 1 } }),
    relay: {
      // The peers of the cases share its process.
      maxEventLoopDelay: 'unlimited',
      limits: limitsConfig(options),
      // All test peers share one address.
      prefixes: { exempt: options.reservationsPerPrefix === undefined ? ['127.0.0.0/8'] : [] },
      access: accessConfig(options),
    },
  };
}

function limitsConfig(options: RelayOptions): Record<string, unknown> {
  return {
    reservations: withoutUndefined({ max: options.maxReservations, perPrefix: options.reservationsPerPrefix, ttl: `${options.ttlSeconds}s` }),
    circuits: withoutUndefined({
      max: options.maxCircuits,
      perSource: options.circuitsPerSource,
      perTarget: options.circuitsPerTarget,
      duration: options.durationSeconds === 'unlimited' ? 'unlimited' : `${options.durationSeconds}s`,
      bytesPerDirection: options.bytesPerDirection === 'unlimited' ? 'unlimited' : `${options.bytesPerDirection}B`,
    }),
    rates: {
      reservePerPeer: options.reservesPerHour === undefined ? 'unlimited' : `${options.reservesPerHour}/h`,
      reservePerPrefix: 'unlimited',
      connectPerPeer: 'unlimited',
      connectPerPrefix: 'unlimited',
    },
  };
}

function accessConfig({ deny }: RelayOptions): Record<string, unknown> {
  return {
    reserve: { deny: deny?.reserve ?? [] },
    connect: { deny: deny?.connect ?? [] },
    target: { deny: deny?.target ?? [] },
  };
}

function withoutUndefined(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function loopback(addrs: string[]): string {
  const found = addrs.find((addr) => addr.startsWith('/ip4/127.0.0.1/tcp/') && !addr.includes('/p2p-circuit'));
  if (found === undefined) throw new Error(`p2p-relayd has no loopback address among ${addrs.join(' ')}`);
  return found;
}
