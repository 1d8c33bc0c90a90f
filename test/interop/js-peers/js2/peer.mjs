// A peer made of stock js-libp2p 2 parts, driven by JSON lines like the Go and Rust peers.
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { flag, pattern, sameBytes, say, serve } from '../json-lines.mjs';

const ECHO = '/relayd-test/echo/1.0.0';

const node = await createLibp2p({
  addresses: { listen: flag('listen') },
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), ping: ping() },
});

await node.handle(ECHO, ({ stream }) => {
  stream.sink(stream.source).catch(() => {});
}, { runOnLimitedConnection: true });

const circuitAddrs = () => node.getMultiaddrs().map(String).filter((addr) => addr.includes('/p2p-circuit'));

async function* pieces(bytes) {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

const commands = {
  async reserve({ relay }, signal) {
    await node.components.transportManager.listen([multiaddr(`${relay}/p2p-circuit`)]);
    while (circuitAddrs().length === 0) {
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return { addrs: circuitAddrs() };
  },
  async connect({ addr }, signal) {
    const connection = await node.dial(multiaddr(addr), { signal });
    return { path: connection.remoteAddr.toString().includes('/p2p-circuit') ? 'relay' : 'direct', limited: connection.limits !== undefined };
  },
  async ping({ peer, count }, signal) {
    const rttMs = [];
    for (let i = 0; i < count; i++) rttMs.push(await node.services.ping.ping(peerIdFromString(peer), { signal }));
    return { rttMs };
  },
  async echo({ peer, bytes }, signal) {
    const stream = await node.getConnections(peerIdFromString(peer))[0].newStream([ECHO], { signal, runOnLimitedConnection: true });
    const sent = pattern(bytes);
    const received = [];
    await Promise.all([
      stream.sink(pieces(sent)),
      (async () => {
        for await (const piece of stream.source) received.push(piece.slice());
      })(),
    ]);
    return { bytes, match: sameBytes(sent, Buffer.concat(received)) };
  },
  async addrs() {
    return { addrs: node.getMultiaddrs().map(String) };
  },
};

serve(commands, () => node.stop());
say({ event: 'ready', peerId: node.peerId.toString(), addrs: node.getMultiaddrs().map(String) });
