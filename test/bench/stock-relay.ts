import { noise } from '@chainsafe/libp2p-noise';
import { circuitRelayServer } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';

/**
 * js-libp2p's own relay, as a program for the benchmark `relay`: nothing of ours in it, and no limit on what it relays.
 * It says where it listens in one JSON line, and ends when its standard input does.
 */

const NO_LIMIT = 1_000_000;
const ENCRYPTERS = { noise, tls };

const security = process.argv[2];
if (security !== 'noise' && security !== 'tls') {
  throw new Error('usage: stock-relay.ts noise|tls');
}

const libp2p = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [ENCRYPTERS[security]()],
  streamMuxers: [yamux({ maxInboundStreams: NO_LIMIT, maxOutboundStreams: NO_LIMIT })],
  connectionManager: { maxConnections: NO_LIMIT, maxIncomingPendingConnections: NO_LIMIT, inboundConnectionThreshold: NO_LIMIT },
  services: {
    identify: identify(),
    relay: circuitRelayServer({ maxInboundHopStreams: NO_LIMIT, maxOutboundStopStreams: NO_LIMIT, reservations: { maxReservations: NO_LIMIT, applyDefaultLimit: false } }),
  },
});

process.stdin.resume().once('end', () => process.exit(0));
console.log(JSON.stringify({ event: 'ready', addrs: libp2p.getMultiaddrs().map(String) }));
