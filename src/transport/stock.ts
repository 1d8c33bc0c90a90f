import { noise } from '@chainsafe/libp2p-noise';
import { preSharedKey } from '@libp2p/pnet';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { yamux } from '@libp2p/yamux';
import { MAX_EARLY_STREAMS, MAX_STREAMS } from './data-path.ts';
import type { DataPath, DataPathOptions } from './data-path.ts';
import { TcpPorts } from './native/tcp-ports.ts';
import { webSockets } from './websocket/transport.ts';

const ENCRYPTERS = { tls, noise };

/** libp2p's own TCP, TLS, noise and yamux (docs/decisions/0003). */
export function stockDataPath(options: DataPathOptions): DataPath {
  // `lookup` reaches net.connect, which takes it, although the transport's own type does not name it.
  const dialOpts = { lookup: options.lookup } as object;
  return {
    // WebSocket is ours in both: the library's reads without end what nobody takes (docs/decisions/0012).
    transports: [tcp({ dialOpts }), webSockets({ ...options.webSocket, lookup: options.lookup, ports: new TcpPorts() })],
    connectionEncrypters: options.security.map((name) => ENCRYPTERS[name]()),
    streamMuxers: [
      yamux({
        maxInboundStreams: MAX_STREAMS,
        maxOutboundStreams: MAX_STREAMS,
        maxEarlyStreams: MAX_EARLY_STREAMS,
        streamOptions: { initialStreamWindowSize: 256 * 1024, maxStreamWindowSize: Math.max(256 * 1024, options.windowBytes) },
      }),
    ],
    ...(options.swarmKey === undefined ? {} : { connectionProtector: preSharedKey({ psk: options.swarmKey }) }),
  };
}
