import { noise } from '@chainsafe/libp2p-noise';
import { preSharedKey } from '@libp2p/pnet';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { yamux } from '@libp2p/yamux';
import type { Libp2pOptions } from 'libp2p';
import type { LookupFunction } from 'node:net';

export interface DataPathOptions {
  /** In the order offered. */
  security: readonly ('tls' | 'noise')[];
  /** The pre-shared key of a private network, as the file holds it. */
  swarmKey: Uint8Array | undefined;
  /** The most that a stream may hold for a reader that has stopped, in bytes; at least yamux's window of 256 KiB. */
  windowBytes: number;
  /** Resolves the names in the addresses that are dialled. */
  lookup: LookupFunction;
}

type DataPath = Pick<Libp2pOptions, 'transports' | 'connectionEncrypters' | 'streamMuxers' | 'connectionProtector'>;

/** More streams than the limits of circuits allow on one connection: those limits decide, not the muxer's default of 1,000. */
const MAX_STREAMS = 65_536;
const MAX_EARLY_STREAMS = 64;
const ENCRYPTERS = { tls, noise };

/** libp2p's own TCP, TLS, noise and yamux (docs/decisions/0003). */
export function stockDataPath(options: DataPathOptions): DataPath {
  // `lookup` reaches net.connect, which takes it, although the transport's own type does not name it.
  const dialOpts = { lookup: options.lookup } as object;
  return {
    transports: [tcp({ dialOpts })],
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
