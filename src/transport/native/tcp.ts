import type { ComponentLogger, Connection, CreateListenerOptions, DialTransportOptions, Listener, Transport } from '@libp2p/interface';
import { serviceCapabilities, transportSymbol } from '@libp2p/interface';
import { CODE_P2P } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { TCP } from '@multiformats/multiaddr-matcher';
import type { LookupFunction } from 'node:net';
import { toError } from '../../lib/errors.ts';
import { TcpConnection } from './tcp-connection.ts';
import { connectSocket } from './tcp-socket.ts';
import { TcpListener } from './tcp-listener.ts';
import { TcpPorts } from './tcp-ports.ts';

export interface TcpOptions {
  /** Resolves the names in the addresses that are dialled. */
  lookup: LookupFunction;
  /** Dials come from ports that further dials can share: for hole punching (tcp-puncher.ts). */
  sharePorts?: boolean;
  /** Shared with the listeners of WebSocket. */
  ports?: TcpPorts;
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
  /** Where the open connections that this node has dialled come from, by what was dialled. */
  readonly #localPorts = new Map<string, number>();
  readonly #ports: TcpPorts;

  constructor(components: TcpComponents, options: TcpOptions) {
    this.#components = components;
    this.#options = options;
    this.#ports = options.ports ?? new TcpPorts();
  }

  /** @throws Error of the socket, with the address in its text, or of the upgrade */
  async dial(addr: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const socket = await connectSocket(addr, { lookup: this.#options.lookup, signal: options.signal, ...(this.sharesPorts ? { localPort: 0 } : {}) });
    const text = placeOf(addr);
    if (this.sharesPorts && socket.localPort !== undefined) {
      const { localPort } = socket;
      this.#localPorts.set(text, localPort);
      socket.once('close', () => void (this.#localPorts.get(text) === localPort && this.#localPorts.delete(text)));
    }
    const connection = new TcpConnection({ socket, direction: 'outbound', logger: this.#components.logger, remoteAddr: addr });
    try {
      return await options.upgrader.upgradeOutbound(connection, options);
    } catch (error) {
      connection.abort(toError(error));
      throw error;
    }
  }

  get sharesPorts(): boolean {
    return this.#options.sharePorts === true;
  }

  /** The port that an open connection to `addr` comes from; `undefined` where no other can come from it as well. */
  localPortTo(addr: Multiaddr): number | undefined {
    return this.#localPorts.get(placeOf(addr));
  }

  createListener(options: CreateListenerOptions): Listener {
    return new TcpListener({ upgrader: options.upgrader, logger: this.#components.logger, ports: this.#ports, role: () => ({ kind: 'tcp' }) });
  }

  listenFilter(addrs: Multiaddr[]): Multiaddr[] {
    return addrs.filter((addr) => TCP.exactMatch(addr));
  }

  dialFilter(addrs: Multiaddr[]): Multiaddr[] {
    return this.listenFilter(addrs);
  }
}

/** A connection's address has the peer's id behind it, whatever was dialled. */
function placeOf(addr: Multiaddr): string {
  return addr.decapsulateCode(CODE_P2P).toString();
}

/** For libp2p's `transports`. */
export function nativeTcp(options: TcpOptions): (components: TcpComponents) => Transport {
  return (components) => new TcpTransport(components, options);
}
