import type { ComponentLogger, Connection, CreateListenerOptions, DialTransportOptions, Listener, PrivateKey, Transport } from '@libp2p/interface';
import { serviceCapabilities, transportSymbol } from '@libp2p/interface';
import { getNetConfig } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { WebSockets, WebSocketsSecure } from '@multiformats/multiaddr-matcher';
import type { LookupFunction } from 'node:net';
import { toError } from '../../lib/errors.ts';
import type { WebSocketTls } from '../data-path.ts';
import { TcpListener } from '../native/tcp-listener.ts';
import type { Role, TcpPorts } from '../native/tcp-ports.ts';
import { connectSocket } from '../native/tcp-socket.ts';
import { tlsContext } from '../native/tls-context.ts';
import { groundKind } from '../native/tls-ground-kind.ts';
import { WebSocketConnection } from './connection.ts';
import type { Target } from './connection.ts';

export interface WebSocketOptions extends WebSocketTls {
  /** Resolves the names in the addresses that are dialled. */
  lookup: LookupFunction;
  /** Shared with the listeners of TCP. */
  ports: TcpPorts;
}

interface WebSocketComponents {
  logger: ComponentLogger;
  privateKey: PrivateKey;
}

/** WebSocket for libp2p, plain and over TLS (libp2p/specs, websockets/README.md), on the sockets of our TCP. */
class WebSocketTransport implements Transport {
  readonly [transportSymbol] = true;
  readonly [Symbol.toStringTag] = 'relayd/websocket';
  readonly [serviceCapabilities]: string[] = ['@libp2p/transport'];
  readonly #components: WebSocketComponents;
  readonly #o: WebSocketOptions;

  constructor(components: WebSocketComponents, options: WebSocketOptions) {
    this.#components = components;
    this.#o = options;
  }

  /** @throws Error of the socket or the certificate, with the address in its text, of what answers there, or of the upgrade */
  async dial(addr: Multiaddr, options: DialTransportOptions & { localPort?: number }): Promise<Connection> {
    const { signal, upgrader, localPort } = options;
    const socket = await connectSocket(addr, { lookup: this.#o.lookup, signal, ...(localPort === undefined ? {} : { localPort }) });
    const connection = new WebSocketConnection({ socket, direction: 'outbound', logger: this.#components.logger, remoteAddr: addr });
    try {
      await connection.connect(this.#target(addr), signal);
      return await upgrader.upgradeOutbound(connection, options);
    } catch (error) {
      connection.abort(toError(error));
      throw error;
    }
  }

  createListener({ upgrader }: CreateListenerOptions): Listener {
    const { logger } = this.#components;
    return new TcpListener({ upgrader, logger, ports: this.#o.ports, role: (addr) => (isSecure(addr) ? this.#tlsRole() : { kind: 'ws' }) });
  }

  listenFilter(addrs: Multiaddr[]): Multiaddr[] {
    return this.dialFilter(addrs);
  }

  dialFilter(addrs: Multiaddr[]): Multiaddr[] {
    return addrs.filter((addr) => WebSockets.exactMatch(addr) || WebSocketsSecure.exactMatch(addr));
  }

  #target(addr: Multiaddr): Target {
    const { host, port = 0 } = getNetConfig(addr);
    const name = addr.getComponents().find((part) => part.name === 'sni')?.value ?? host;
    return { host, port, tls: isSecure(addr) ? { name, trustAny: this.#o.trustAny === true } : undefined };
  }

  async #tlsRole(): Promise<Role> {
    const { certificate } = this.#o;
    if (certificate === undefined) {
      throw new Error('WebSocket over TLS needs a certificate');
    }
    const { logger, privateKey } = this.#components;
    return { kind: 'tls', context: certificate, ground: await groundKind(await tlsContext(privateKey), logger.forComponent('relayd:websocket')) };
  }
}

function isSecure(addr: Multiaddr): boolean {
  return addr.getComponents().some(({ name }) => name === 'tls' || name === 'wss');
}

/** For libp2p's `transports`. */
export function webSockets(options: WebSocketOptions): (components: WebSocketComponents) => Transport {
  return (components) => new WebSocketTransport(components, options);
}
