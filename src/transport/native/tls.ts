import { serviceCapabilities } from '@libp2p/interface';
import type { ComponentLogger, ConnectionEncrypter, Logger, MessageStream, PrivateKey, SecureConnectionOptions, SecuredConnection, StreamMuxerFactory, Upgrader } from '@libp2p/interface';
import { tls } from '@libp2p/tls';
import type { TLSSocket, TLSSocketOptions } from 'node:tls';
import { errorMessage, toError } from '../../lib/errors.ts';
import { PLAIN, SecureLink } from './link.ts';
import { TcpConnection } from './tcp-connection.ts';
import { tlsContext } from './tls-context.ts';
import { startTls } from './tls-ground.ts';
import type { GroundKind } from './tls-ground.ts';
import { handshake } from './tls-handshake.ts';
import { authenticatedPeer } from './tls-peer.ts';
import { selfTest } from './tls-self-test.ts';

const TLS_PROTOCOL = '/tls/1.0.0';

/** In the list of ALPN: no muxer is agreed on here (libp2p/specs, tls/tls.md, "ALPN"). */
const NO_MUXER = 'libp2p';

export interface TlsOptions {
  /** For tests. Else `fast` where the self-test says that it works. */
  ground?: GroundKind;
}

interface TlsComponents {
  privateKey: PrivateKey;
  logger: ComponentLogger;
  upgrader: Pick<Upgrader, 'getStreamMuxers'>;
}

/** The self-test of this process. */
let tested: Promise<GroundKind> | undefined;

/**
 * TLS 1.3 as libp2p specifies it, by Node's own TLS on the socket itself. Where there is no socket (a circuit, a private network) the
 * library's takes over, which works on any stream.
 */
class NativeTls implements ConnectionEncrypter {
  readonly protocol = TLS_PROTOCOL;
  readonly [Symbol.toStringTag] = 'relayd/tls';
  readonly [serviceCapabilities]: string[] = ['@libp2p/connection-encryption'];
  readonly #components: TlsComponents;
  readonly #ground: GroundKind | undefined;
  readonly #log: Logger;
  #stock: ConnectionEncrypter | undefined;

  constructor(components: TlsComponents, { ground }: TlsOptions) {
    this.#components = components;
    this.#ground = ground;
    this.#log = components.logger.forComponent('relayd:tls');
  }

  /** @throws Error when TLS fails, the peer's certificate is not valid (InvalidCryptoExchangeError), or the signal aborts; the connection is aborted then */
  async secureInbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    return connection instanceof TcpConnection ? await this.#secure(connection, true, options) : await this.#library().secureInbound(connection, options);
  }

  /** @throws as `secureInbound`, and UnexpectedPeerError */
  async secureOutbound(connection: MessageStream, options?: SecureConnectionOptions): Promise<SecuredConnection> {
    return connection instanceof TcpConnection ? await this.#secure(connection, false, options) : await this.#library().secureOutbound(connection, options);
  }

  async #secure(connection: TcpConnection, isServer: boolean, options: SecureConnectionOptions = {}): Promise<SecuredConnection> {
    try {
      const secureContext = await tlsContext(this.#components.privateKey);
      const kind = this.#ground ?? (await (tested ??= this.#test()));
      options.signal?.throwIfAborted();
      const { socket: raw, early } = connection.takeSocket();
      if (raw.destroyed) {
        throw new Error('the connection closed before the TLS handshake');
      }
      const muxers = options.skipStreamMuxerNegotiation === true ? new Map<string, StreamMuxerFactory>() : this.#components.upgrader.getStreamMuxers();
      const { socket, ground } = startTls(kind, raw, early, { secureContext, ...(isServer ? serverOptions(muxers) : clientOptions(muxers)) });
      connection.wrapSocket(socket);
      await handshake(socket, options.signal);
      const remotePeer = authenticatedPeer(socket, options.remotePeer);
      return { connection: new SecureLink({ connection, ground, ...PLAIN }), remotePeer, streamMuxer: agreedMuxer(socket, muxers) };
    } catch (error) {
      connection.abort(toError(error));
      throw error;
    }
  }

  async #test(): Promise<GroundKind> {
    try {
      await selfTest(await tlsContext(this.#components.privateKey));
      return 'fast';
    } catch (error) {
      this.#log.error('TLS costs more a byte than it could: Node does not do what its fast path needs (%s)', errorMessage(error));
      return 'public';
    }
  }

  #library(): ConnectionEncrypter {
    const { privateKey, logger, upgrader } = this.#components;
    this.#stock ??= tls()({ privateKey, logger, upgrader: upgrader as Upgrader });
    return this.#stock;
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
