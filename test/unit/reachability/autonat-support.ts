import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import type { Connection, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { Registry } from 'prom-client';
import { readFrame, writeFrame } from '../../../src/lib/circuit/frames.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLogger } from '../../../src/lib/logger.ts';
import { DialBackNode } from '../../../src/node/dial-back-host.ts';
import { DIAL_REQUEST_PROTOCOL, decodeMessage, encodeMessage } from '../../../src/reachability/autonat-protocol.ts';
import type { AutonatMessage } from '../../../src/reachability/autonat-protocol.ts';
import { AutonatServer } from '../../../src/reachability/index.ts';
import type { AutonatServerOptions } from '../../../src/reachability/autonat-server.ts';
import { PATIENCE_MS } from '../../support/waiting.ts';

export type Node = Libp2p & AsyncDisposable;

const dataPath = (from?: string) => ({ transports: [tcp(from === undefined ? {} : { dialOpts: { localAddress: from } as object })], connectionEncrypters: [noise()], streamMuxers: [yamux()] });

/** A libp2p node of the library's parts that nothing of ours runs on yet. */
export async function bareNode({ listen = ['/ip4/127.0.0.1/tcp/0'], from }: { listen?: string[]; from?: string } = {}): Promise<Node> {
  const libp2p = await createLibp2p({
    ...dataPath(from),
    addresses: { listen },
    services: { identify: identify() },
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
  });
  return Object.assign(libp2p, { [Symbol.asyncDispose]: () => Promise.resolve(libp2p.stop()) });
}

export function addrOf(node: Libp2p): Multiaddr {
  const [addr] = node.getMultiaddrs();
  if (addr === undefined) throw new Error('the node has no address');
  return addr;
}

/** The bytes of `addr`, without a peer id. */
function bytesOf(addr: string | Multiaddr): Uint8Array {
  return multiaddr(addr.toString().replace(/\/p2p\/.*$/, '')).bytes;
}

export interface ServedNode extends AsyncDisposable {
  node: Node;
  server: AutonatServer;
  registry: Registry;
}

/** A node that serves AutoNAT on loopback. */
export async function servedNode(options: Partial<AutonatServerOptions> = {}): Promise<ServedNode> {
  const node = await bareNode();
  const registry = new Registry();
  const server = new AutonatServer({
    host: node,
    dialBackHost: await DialBackNode.create(dataPath(), silentLogger),
    prefixes: { ipv4: 32, ipv6: [64], exempt: ['127.0.0.0/8'] },
    allowPrivate: true,
    clock: systemClock,
    log: silentLogger,
    registry,
    ...options,
  });
  await server.start();
  const dispose = async (): Promise<void> => {
    await server.stop();
    await node.stop();
  };
  return { node, server, registry, [Symbol.asyncDispose]: dispose };
}

/** Writes what a test says on a stream of the request's protocol. */
export async function openRequest(connection: Connection, message: AutonatMessage): Promise<Stream> {
  const stream = await connection.newStream(DIAL_REQUEST_PROTOCOL, { signal: AbortSignal.timeout(PATIENCE_MS), runOnLimitedConnection: true });
  writeFrame(stream, encodeMessage(message));
  return stream;
}

export async function readMessage(stream: Stream): Promise<AutonatMessage> {
  return decodeMessage(await readFrame(stream, { signal: AbortSignal.timeout(2 * PATIENCE_MS), maxBytes: 8_192 }));
}

/** Asks to be dialled at `addrs`. */
export async function request(connection: Connection, addrs: (string | Multiaddr)[], nonce = 7n): Promise<AutonatMessage> {
  const stream = await openRequest(connection, { type: 'dialRequest', addrs: addrs.map(bytesOf), nonce });
  const message = await readMessage(stream);
  await stream.close();
  return message;
}

/** The value of a series. */
export async function valueOf(registry: Registry, name: string, labels: Record<string, string>): Promise<number | undefined> {
  const metric = await registry.getSingleMetric(name)?.get();
  return metric?.values.find((value) => Object.entries(labels).every(([label, wanted]) => (value.labels as Record<string, unknown>)[label] === wanted))?.value;
}

