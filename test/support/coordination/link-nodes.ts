import { noise } from '@chainsafe/libp2p-noise';
import { generateKeyPair } from '@libp2p/crypto/keys';
import type { Libp2p, PrivateKey } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { Registry } from 'prom-client';
import { makeLinks } from '../../../src/coordination/links/index.ts';
import type { Links } from '../../../src/coordination/links.ts';
import { ClusterSecret } from '../../../src/coordination/secret.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import type { Logger } from '../../../src/lib/logger.ts';
import { until } from '../waiting.ts';
import { Network } from './cut.ts';

/** The secret and name of the cluster of a test. */
export const SECRET_HEX = '5a'.repeat(32);
export const CLUSTER = 'test';

export interface LinkNodeOptions {
  /** The first is the one that it speaks with. */
  readonly secrets?: readonly string[];
  readonly clock?: Clock;
  readonly cluster?: string;
  /** Full addresses: `coordination.relays`. */
  readonly configured?: readonly string[];
  readonly services?: NonNullable<Parameters<typeof createLibp2p>[0]>['services'];
  readonly log?: Logger;
  /** A new one where none is given. */
  readonly privateKey?: PrivateKey;
}

/** A bare libp2p node on loopback, with links. */
export interface LinkNode {
  readonly id: string;
  /** Full. */
  readonly addr: string;
  readonly libp2p: Libp2p;
  readonly privateKey: PrivateKey;
  readonly links: Links;
  readonly secret: ClusterSecret;
  readonly metrics: Registry;
  /** Can be cut, silently. */
  readonly network: Network;
  /** The links in good order, then the node. */
  stop(): Promise<void>;
  /** As a process that is killed: connections are reset. */
  kill(): Promise<void>;
}

/** Nodes in this process, stopped together. */
export class LinkNodes {
  readonly #nodes: LinkNode[] = [];

  async start(options: LinkNodeOptions = {}): Promise<LinkNode> {
    const network = new Network();
    const privateKey = options.privateKey ?? (await generateKeyPair('Ed25519'));
    const libp2p = await bareNode(network, options.services, privateKey);
    const secret = new ClusterSecret(options.secrets ?? [SECRET_HEX], options.cluster ?? CLUSTER, silentLogger);
    const metrics = new Registry();
    const links = makeLinks({ host: libp2p, self: libp2p.peerId, secret, configured: options.configured ?? [], clock: options.clock ?? systemClock, log: options.log ?? silentLogger, registry: metrics });
    const node: LinkNode = { id: libp2p.peerId.toString(), addr: addrOf(libp2p), libp2p, privateKey, links, secret, metrics, network, stop: () => stop(node), kill: () => kill(node) };
    this.#nodes.push(node);
    await links.start();
    return node;
  }

  /** So many nodes, each linked to every other. */
  async mesh(count: number, options: LinkNodeOptions = {}): Promise<LinkNode[]> {
    const nodes: LinkNode[] = [];
    for (let i = 0; i < count; i++) {
      nodes.push(await this.start({ ...options, configured: nodes.map(({ addr }) => addr) }));
    }
    await linked(nodes);
    return nodes;
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#nodes.splice(0).map((node) => node.stop()));
  }
}

/** Waits until each of `nodes` has a link to each other. */
export async function linked(nodes: readonly LinkNode[], timeoutMs?: number): Promise<void> {
  const all = nodes.length - 1;
  await until(() => nodes.every(({ links }) => links.members().filter((id) => nodes.some((node) => node.id === id)).length === all), `${nodes.length} nodes are linked`, timeoutMs);
}

/** A libp2p node on loopback that dials only where it is told to. */
export async function bareNode(network = new Network(), services: LinkNodeOptions['services'] = {}, privateKey?: PrivateKey): Promise<Libp2p> {
  return createLibp2p({
    ...(privateKey === undefined ? {} : { privateKey }),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionProtector: network.protector,
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: { inboundConnectionThreshold: 1_000, maxIncomingPendingConnections: 1_000 },
    connectionMonitor: { enabled: false },
    services,
  });
}

export function addrOf(node: Libp2p): string {
  const [addr] = node.getMultiaddrs();
  if (addr === undefined) throw new Error('the node has no address');
  return addr.toString();
}

async function stop(node: LinkNode): Promise<void> {
  node.network.heal();
  await node.links.stop();
  await node.libp2p.stop();
}

async function kill(node: LinkNode): Promise<void> {
  node.libp2p.getConnections().forEach((connection) => connection.abort(new Error('the process was killed')));
  await stop(node);
}
