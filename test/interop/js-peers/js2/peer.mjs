// A peer made of stock js-libp2p 2 parts, driven by JSON lines like the Go and Rust peers: ../README.md.
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { ECHO, peerCommands } from '../commands.mjs';
import { flag, say, serve } from '../json-lines.mjs';

const node = await createLibp2p({
  addresses: { listen: flag('listen') },
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), ping: ping() },
});

await node.handle(ECHO, ({ stream }) => void stream.sink(stream.source).catch((error) => stream.abort(error)), { runOnLimitedConnection: true });

async function exchange(stream, pieces) {
  const [received] = await Promise.all([read(stream), stream.sink(pieces)]);
  return received;
}

async function read(stream) {
  const received = [];
  for await (const piece of stream.source) received.push(piece.slice());
  return received;
}

serve(peerCommands({ node, multiaddr, peerIdFromString, exchange }), () => node.stop());
say({ event: 'ready', peerId: node.peerId.toString(), addrs: node.getMultiaddrs().map(String) });
