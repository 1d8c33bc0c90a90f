import { preSharedKey } from '@libp2p/pnet';
import { MAX_STREAMS } from './data-path.ts';
import type { DataPath, DataPathOptions } from './data-path.ts';
import { KeepAlive } from './native/keep-alive.ts';
import { nativeNoise } from './native/noise.ts';
import { TcpPorts } from './native/tcp-ports.ts';
import { nativeTcp } from './native/tcp.ts';
import { nativeTls } from './native/tls.ts';
import { nativeYamux } from './native/yamux-muxer.ts';
import { webSockets } from './websocket/transport.ts';

const ENCRYPTERS = { tls: nativeTls, noise: nativeNoise };

/** Our own TCP, TLS, noise and yamux (docs/decisions/0007). */
export function nativeDataPath(options: DataPathOptions): DataPath {
  const limits = { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS, maxWindowBytes: options.windowBytes };
  const ports = new TcpPorts();
  return {
    transports: [nativeTcp({ lookup: options.lookup, sharePorts: options.sharePorts === true, ports }), webSockets({ ...options.webSocket, lookup: options.lookup, ports })],
    connectionEncrypters: options.security.map((name) => ENCRYPTERS[name]()),
    streamMuxers: [nativeYamux({ ...limits, keepAlive: new KeepAlive(options.clock) })],
    ...(options.swarmKey === undefined ? {} : { connectionProtector: preSharedKey({ psk: options.swarmKey }) }),
  };
}
