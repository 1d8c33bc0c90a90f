// A peer made of stock js-libp2p 3 parts, driven by JSON lines like the Go and Rust peers: README.md.
import { noise } from '@chainsafe/libp2p-noise';
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { ECHO, peerCommands } from './commands.mjs';
import { flag, say, serve } from './json-lines.mjs';

const relay = flag('mode')[0] === 'relay';

const node = await createLibp2p({
  addresses: { listen: flag('listen') },
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), ping: ping(), ...(relay ? { relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }) } : {}) },
});

await node.handle(ECHO, (stream) => void echo(stream).catch((error) => stream.abort(error)), { runOnLimitedConnection: true });

async function echo(stream) {
  for await (const piece of stream) await send(stream, piece);
  await stream.close();
}

async function send(stream, piece, signal) {
  if (!stream.send(piece)) await stream.onDrain({ signal });
}

async function exchange(stream, pieces, signal) {
  const write = async () => {
    for (const piece of pieces) await send(stream, piece, signal);
    await stream.close({ signal });
  };
  const [received] = await Promise.all([read(stream), write()]);
  return received;
}

async function read(stream) {
  const received = [];
  for await (const piece of stream) received.push(piece.slice());
  return received;
}

serve(peerCommands({ node, multiaddr, peerIdFromString, exchange }), () => node.stop());
say({ event: 'ready', peerId: node.peerId.toString(), addrs: node.getMultiaddrs().map(String) });
