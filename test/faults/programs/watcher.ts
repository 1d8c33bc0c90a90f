import { createInterface } from 'node:readline';
import { noise } from '@chainsafe/libp2p-noise';
import { identify, identifyPush } from '@libp2p/identify';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { nowMs } from '../support/time.ts';

/**
 * A standard js-libp2p peer that clients are connected to: says, as JSON lines, which addresses it learns of each and when
 * (identify push), and ends with its standard input.
 */

/** More than any row has clients: none is pruned. */
const MAX_CONNECTIONS = 20_000;

export interface Learnt {
  peerId: string;
  atMs: number;
  /** Relays whose circuit addresses the peer is known under from then on. */
  relays: string[];
}

let learnt: Learnt[] = [];

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  connectionManager: { maxConnections: MAX_CONNECTIONS, maxIncomingPendingConnections: MAX_CONNECTIONS, inboundConnectionThreshold: MAX_CONNECTIONS },
  connectionMonitor: { enabled: false },
  services: { identify: identify(), push: identifyPush(), ping: ping() },
});

node.addEventListener('peer:update', ({ detail: { peer } }) => {
  const circuits = peer.addresses.map(({ multiaddr }) => multiaddr.toString()).filter((addr) => addr.includes('/p2p-circuit'));
  const relays = circuits.map((addr) => addr.split('/p2p-circuit')[0]?.split('/p2p/').at(-1) ?? '');
  learnt.push({ peerId: peer.id.toString(), atMs: nowMs(), relays });
});

const ORDERS: Record<string, () => object> = {
  begin: () => {
    learnt = [];
    return {};
  },
  end: () => ({ learnt }),
};

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

say({ event: 'ready', addrs: node.getMultiaddrs().map(String) });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, cmd } = JSON.parse(line) as { id: number; cmd: string };
  say({ id, ok: true, ...ORDERS[cmd]?.() });
}
process.exit(0);
