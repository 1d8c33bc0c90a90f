import type { ComponentLogger, Connection, CreateListenerOptions, DialTransportOptions, Listener, Transport } from '@libp2p/interface';
import { serviceCapabilities, transportSymbol } from '@libp2p/interface';
import { getNetConfig } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { TCP } from '@multiformats/multiaddr-matcher';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { toError } from '../../lib/errors.ts';
import { TcpConnection } from './tcp-connection.ts';
import { TcpListener } from './tcp-listener.ts';

export interface TcpOptions {
  /** Resolves the names in the addresses that are dialled. */
  lookup: LookupFunction;
}

interface TcpComponents {
  logger: ComponentLogger;
}

/** TCP for libp2p whose connections keep hold of their socket (TcpConnection says why). */
export class TcpTransport implements Transport {
  readonly [transportSymbol] = true;
  readonly [Symbol.toStringTag] = 'relayd/tcp';
  readonly [serviceCapabilities]: string[] = ['@libp2p/transport'];
  readonly #components: TcpComponents;
  readonly #options: TcpOptions;

  constructor(components: TcpComponents, options: TcpOptions) {
    this.#components = components;
    this.#options = options;
  }

  /** @throws Error of the socket, with the address in its text, or of the upgrade */
  async dial(addr: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const socket = await this.#connect(addr, options.signal);
    const connection = new TcpConnection({ socket, direction: 'outbound', logger: this.#components.logger, remoteAddr: addr });
    try {
      return await options.upgrader.upgradeOutbound(connection, options);
    } catch (error) {
      connection.abort(toError(error));
      throw error;
    }
  }

  createListener(options: CreateListenerOptions): Listener {
    return new TcpListener({ upgrader: options.upgrader, logger: this.#components.logger });
  }

  listenFilter(addrs: Multiaddr[]): Multiaddr[] {
    return addrs.filter((addr) => TCP.exactMatch(addr));
  }

  dialFilter(addrs: Multiaddr[]): Multiaddr[] {
    return this.listenFilter(addrs);
  }

  async #connect(addr: Multiaddr, signal: AbortSignal): Promise<Socket> {
    signal.throwIfAborted();
    const { host, port } = getNetConfig(addr);
    if (port === undefined) {
      throw new Error(`${addr.toString()} names no port`);
    }
    const socket = connect({ host, port, noDelay: true, keepAlive: true, lookup: this.#options.lookup });
    // What comes between the waiting here and the connection's own listener, or from a socket that is given up.
    socket.on('error', () => undefined);
    try {
      await once(socket, 'connect', { signal });
      return socket;
    } catch (error) {
      socket.destroy();
      throw signal.aborted ? error : new Error(`connection error ${host}:${port}: ${toError(error).message}`, { cause: error });
    }
  }
}

/** For libp2p's `transports`. */
export function nativeTcp(options: TcpOptions): (components: TcpComponents) => Transport {
  return (components) => new TcpTransport(components, options);
}
