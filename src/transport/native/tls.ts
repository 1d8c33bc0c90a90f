import { serviceCapabilities } from '@libp2p/interface';
import type { ComponentLogger, ConnectionEncrypter, Logger, MessageStream, PrivateKey, SecureConnectionOptions, SecuredConnection, StreamMuxerFactory, Upgrader } from '@libp2p/interface';
import type { TLSSocket, TLSSocketOptions } from 'node:tls';
import { LINGER_MS } from '../../lib/close-stream.ts';
import { toError } from '../../lib/errors.ts';
import { StreamGround } from './ground.ts';
import { PLAIN, SecureLink } from './link.ts';
import type { LinkOptions } from './link.ts';
import { TcpConnection } from './tcp-connection.ts';
import { startCarriedTls } from './tls-carried.ts';
import type { CarriedOptions } from './tls-carried.ts';
import { tlsContext } from './tls-context.ts';
import { groundKind } from './tls-ground-kind.ts';
import { startTls } from './tls-ground.ts';
import type { GroundKind, TlsGround } from './tls-ground.ts';
import { handshake } from './tls-handshake.ts';
import { authenticatedPeer } from './tls-peer.ts';

const TLS_PROTOCOL = '/tls/1.0.0';

/** In the list of ALPN: no muxer is agreed on here (libp2p/specs, tls/tls.md, "ALPN"). */
const NO_MUXER = 'libp2p';

const NOTHING = new Uint8Array(0);

export interface TlsOptions {
  /** For tests. Else `fast` where the self-test says that it works. */
  ground?: GroundKind;
}

interface TlsComponents {
  privateKey: PrivateKey;
  logger: ComponentLogger;
  upgrader: Pick<Upgrader, 'getStreamMuxers'>;
}

/**
 * TLS 1.3 as libp2p specifies it, by Node's own TLS: on the socket itself where there is one, else (a circuit, a private network, WebSocket)
 * on whatever carries the bytes.
 */
class NativeTls implements ConnectionEncrypter {
  readonly protocol = TLS_PROTOCOL;
  readonly [Symbol.toStringTag] = 'relayd/tls';
  readonly [serviceCapabilities]: string[] = ['@libp2p/connection-encryption'];
  readonly #components: TlsComponents;
  readonly #ground: GroundKind | undefined;
  readonly #log: Logger;

  constructor(components: TlsComponents, { ground }: TlsOptions) {
    this.#components = components;
    this.#ground = ground;
    this.#log = components.logger.forComponent('relayd:tls');
  }

  /** @throws Error when TLS fails, the peer's certificate is not valid (InvalidCryptoExchangeError), or the signal aborts; the connection is aborted then */
  async secureInbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    return await this.#secure(connection, true, options);
  }

  /** @throws as `secureInbound`, and UnexpectedPeerError */
  async secureOutbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    return await this.#secure(connection, false, options);
  }

  async #secure(connection: MessageStream, isServer: boolean, options: SecureConnectionOptions = {}): Promise<SecuredConnection> {
    try {
      const secureContext = await tlsContext(this.#components.privateKey);
      const kind = this.#ground ?? (await groundKind(secureContext, this.#log));
      options.signal?.throwIfAborted();
      const muxers = options.skipStreamMuxerNegotiation === true ? new Map<string, StreamMuxerFactory>() : this.#components.upgrader.getStreamMuxers();
      const start = { secureContext, ...(isServer ? serverOptions(muxers) : clientOptions(muxers)) };
      const { socket, ...parts } = isSocket(connection) ? onSocket(connection, kind, start) : onStream(connection, kind, start);
      await handshake(socket, options.signal);
      const remotePeer = authenticatedPeer(socket, options.remotePeer);
      return { connection: new SecureLink({ connection, ...PLAIN, ...parts }), remotePeer, streamMuxer: agreedMuxer(socket, muxers) };
    } catch (error) {
      connection.abort(toError(error));
      throw error;
    }
  }
}

function isSocket(connection: MessageStream): connection is TcpConnection {
  return connection instanceof TcpConnection && connection.isPlain;
}

function onSocket(connection: TcpConnection, kind: GroundKind, options: CarriedOptions): TlsGround {
  const { socket: raw, early } = connection.takeSocket();
  if (raw.destroyed) {
    throw new Error('the connection closed before the TLS handshake');
  }
  const made = startTls(kind, raw, early, options);
  connection.wrapSocket(made.socket);
  return made;
}

/** The ends of TLS and of the connection are each other's. */
function onStream(connection: MessageStream, kind: GroundKind, options: CarriedOptions): TlsGround & Pick<LinkOptions, 'lastWord'> {
  if (connection.status !== 'open') {
    throw new Error('the connection closed before the TLS handshake');
  }
  const { ground: carrier, early } = connection instanceof TcpConnection ? connection.takeGround() : { ground: new StreamGround(connection), early: NOTHING };
  const { socket, ground, endInput } = startCarriedTls(kind, carrier, early, options);
  connection.addEventListener('remoteCloseWrite', endInput);
  connection.addEventListener('close', () => socket.destroy());
  // When it is closing, its end is on its way.
  socket.on('error', (error) => connection.status === 'open' && connection.abort(error));
  // Nothing above can use half a connection.
  socket.once('end', () => {
    connection.close({ signal: AbortSignal.timeout(LINGER_MS) }).catch((error: unknown) => connection.abort(toError(error)));
  });
  return { socket, ground, lastWord: () => ended(socket) };
}

/** Resolves when the end of TLS has left, or never will. */
async function ended(socket: TLSSocket): Promise<void> {
  if (!socket.destroyed) {
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.end(() => resolve());
    });
  }
}

/** For libp2p's `connectionEncrypters`. */
export function nativeTls(options: TlsOptions = {}): (components: TlsComponents) => ConnectionEncrypter {
  return (components) => new NativeTls(components, options);
}

type Muxers = ReadonlyMap<string, StreamMuxerFactory>;

/** `rejectUnauthorized` makes OpenSSL refuse a client without a certificate; it has no opinion on those that there are. */
function serverOptions(muxers: Muxers): TLSSocketOptions {
  return {
    isServer: true,
    requestCert: true,
    rejectUnauthorized: true,
    // The client's wish comes first ("Inlined Muxer Negotiation").
    ALPNCallback: ({ protocols }) => protocols.find((protocol) => muxers.has(protocol)) ?? protocols.find((protocol) => protocol === NO_MUXER),
  };
}

function clientOptions(muxers: Muxers): TLSSocketOptions {
  return { isServer: false, requestCert: true, rejectUnauthorized: false, ALPNProtocols: [...muxers.keys(), NO_MUXER] };
}

/** Undefined when the other side does not negotiate muxers here. */
function agreedMuxer({ alpnProtocol }: TLSSocket, muxers: Muxers): StreamMuxerFactory | undefined {
  return typeof alpnProtocol === 'string' ? muxers.get(alpnProtocol) : undefined;
}
