import type { Libp2pOptions } from 'libp2p';
import type { LookupFunction } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../lib/clock.ts';
import type { QuicModule } from './quic/module.ts';

export interface DataPathOptions {
  /** In the order offered. */
  security: readonly ('tls' | 'noise')[];
  /** The pre-shared key of a private network, as the file holds it. */
  swarmKey: Uint8Array | undefined;
  /** The most that a stream may hold for a reader that has stopped, in bytes; at least yamux's window of 256 KiB. */
  windowBytes: number;
  /** Resolves the names in the addresses that are dialled. */
  lookup: LookupFunction;
  clock: Clock;
  /** TCP dials come from ports that hole punching can share; the library's do not. */
  sharePorts?: boolean;
  /** Where it is to be spoken. */
  quic?: QuicModule | undefined;
  /** For WebSocket over TLS. */
  webSocket?: WebSocketTls;
}

export interface WebSocketTls {
  /** What listeners show; without it there can be none. */
  certificate?: (() => SecureContext) | undefined;
  /** Dials take any certificate: for this node's own listeners, whose peer id tells enough. */
  trustAny?: boolean;
}

/** What a libp2p host is given to carry bytes with. */
export type DataPath = Pick<Libp2pOptions, 'transports' | 'connectionEncrypters' | 'streamMuxers' | 'connectionProtector'>;

/** More streams than the limits of circuits allow on one connection: those limits decide, not the muxer's default of 1,000. */
export const MAX_STREAMS = 65_536;

/** Streams that came before the connection was ready for them. A peer with many circuits opens them all in its first packet. */
export const MAX_EARLY_STREAMS = 1024;
