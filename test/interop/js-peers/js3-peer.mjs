// A peer made of stock js-libp2p 3 parts, driven by JSON lines like the Go and Rust peers.
import { noise } from '@chainsafe/libp2p-noise';
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { flag, pattern, sameBytes, say, serve } from './json-lines.mjs';

const ECHO = '/relayd-test/echo/1.0.0';
const relay = flag('mode')[0] === 'relay';

const node = await createLibp2p({
  addresses: { listen: flag('listen') },
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), ping: ping(), ...(relay ? { relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }) } : {}) },
});

await node.handle(ECHO, (stream) => {
  stream.addEventListener('message', (event) => stream.send(event.data));
  stream.addEventListener('end', () => void stream.close().catch(() => {}));
}, { runOnLimitedConnection: true });

const circuitAddrs = () => node.getMultiaddrs().map(String).filter((addr) => addr.includes('/p2p-circuit'));

const commands = {
  async reserve({ relay: addr }, signal) {
    await node.components.transportManager.listen([multiaddr(`${addr}/p2p-circuit`)]);
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
    let count = 0;
    const whole = new Promise((resolve, reject) => {
      stream.addEventListener('message', (event) => {
        received.push(event.data.slice());
        count += event.data.byteLength;
        if (count >= bytes) resolve();
      });
      stream.addEventListener('close', (event) => (count >= bytes ? resolve() : reject(event.error ?? new Error(`closed after ${count} bytes`))));
    });
    for (let at = 0; at < bytes; at += 65_536) {
      if (!stream.send(sent.subarray(at, at + 65_536))) await stream.onDrain({ signal });
    }
    await stream.close({ signal });
    await whole;
    return { bytes, match: sameBytes(sent, Buffer.concat(received)) };
  },
  async addrs() {
    return { addrs: node.getMultiaddrs().map(String) };
  },
};

serve(commands, () => node.stop());
say({ event: 'ready', peerId: node.peerId.toString(), addrs: node.getMultiaddrs().map(String) });
