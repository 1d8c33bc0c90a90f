import { TypedEventEmitter } from '@libp2p/interface';
import type { AbortOptions, ComponentLogger, Listener, ListenerEvents, Upgrader } from '@libp2p/interface';
import { getNetConfig, getThinWaistAddresses } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { once, setMaxListeners } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { toError } from '../../lib/errors.ts';
import { TcpConnection } from './tcp-connection.ts';

interface TcpListenerInit {
  upgrader: Upgrader;
  logger: ComponentLogger;
}

/** A herd of clients comes back at once; the kernel cuts this to its own greatest. */
const BACKLOG = 4096;

/** One listening address: accepts sockets and has them upgraded. It owns every socket that it accepted. */
export class TcpListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #o: TcpListenerInit;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #stopped = new AbortController();
  #listening: Multiaddr | undefined;

  constructor(init: TcpListenerInit) {
    super();
    this.#o = init;
    setMaxListeners(Infinity, this.#stopped.signal);
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket));
    this.#server.on('listening', () => this.safeDispatchEvent('listening'));
    this.#server.on('error', (error) => this.safeDispatchEvent('error', { detail: error }));
    this.#server.on('close', () => this.safeDispatchEvent('close'));
  }

  async listen(addr: Multiaddr): Promise<void> {
    const { host, port, type } = getNetConfig(addr);
    const listening = once(this.#server, 'listening');
    this.#server.listen({ host, port, ipv6Only: type === 'ip6', backlog: BACKLOG });
    await listening;
    this.#listening = addr;
  }

  getAddrs(): Multiaddr[] {
    const address = this.#server.address();
    return address === null || typeof address === 'string' || this.#listening === undefined ? [] : getThinWaistAddresses(this.#listening, address.port);
  }

  updateAnnounceAddrs(): void {
    // A TCP listener announces what it has.
  }

  /** Ends what was accepted as well: the host closes its connections in good order before it closes its listeners. */
  async close(options?: AbortOptions): Promise<void> {
    this.#stopped.abort(new Error('the listener is closing'));
    const closed = this.#server.listening ? once(this.#server, 'close', options) : undefined;
    this.#server.close();
    this.#sockets.forEach((socket) => socket.destroy());
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    let connection: TcpConnection;
    try {
      connection = new TcpConnection({ socket, direction: 'inbound', logger: this.#o.logger });
    } catch {
      socket.destroy();
      return;
    }
    this.#o.upgrader.upgradeInbound(connection, { signal: this.#stopped.signal }).catch((error: unknown) => connection.abort(toError(error)));
  }
}
