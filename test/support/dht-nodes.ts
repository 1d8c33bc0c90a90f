import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { LISTEN, Nodes } from './nodes.ts';

/**
 * Servers of a DHT in one process, of stock js-libp2p and of this program: `dht-nodes.ts --protocol P --bootstrap ADDR --ours N --js N`.
 * Prints `{"ours": [addresses], "js": [addresses]}` once all are in the DHT, and ends with its standard input.
 */
const { values } = parseArgs({
  options: { protocol: { type: 'string', default: '' }, bootstrap: { type: 'string', default: '' }, ours: { type: 'string', default: '0' }, js: { type: 'string', default: '0' } },
});

const nodes = new Nodes();

/** A client by its role, so that it is no relay. */
async function startOurs(index: number): Promise<string[]> {
  const dht = { enabled: true, protocol: values.protocol, mode: 'server' };
  const node = await nodes.start(`ours-${index}`, { role: 'client', network: { listen: LISTEN }, discovery: { bootstrap: [values.bootstrap], dht } });
  return node.addrs;
}

async function startJs(): Promise<string[]> {
  const libp2p = await createLibp2p({
    addresses: { listen: LISTEN },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping(), dht: kadDHT({ protocol: values.protocol, clientMode: false, peerInfoMapper: passthroughMapper }) },
  });
  await libp2p.dial(multiaddr(values.bootstrap));
  return libp2p.getMultiaddrs().map(String);
}

const ours: string[] = [];
const js: string[] = [];
for (let i = 0; i < Number(values.ours); i++) ours.push(...(await startOurs(i)));
for (let i = 0; i < Number(values.js); i++) js.push(...(await startJs()));
console.log(JSON.stringify({ ours, js }));
process.stdin.resume();
await once(process.stdin, 'end');
await nodes.stopAll();
process.exit(0);
