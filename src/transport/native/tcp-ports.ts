import type { ComponentLogger, Upgrader } from '@libp2p/interface';
import { once, setMaxListeners } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { toError } from '../../lib/errors.ts';
import { WebSocketConnection } from '../websocket/connection.ts';
import type { Accepted } from '../websocket/first-byte.ts';
import { TcpConnection } from './tcp-connection.ts';

/** What a listener is there for. */
export type Role = { kind: 'tcp' } | { kind: 'ws' } | ({ kind: 'tls' } & NonNullable<Accepted['tls']>);

export interface Place {
  host: string;
  port: number;
  ipv6Only: boolean;
}

export interface PortOptions {
  upgrader: Upgrader;
  logger: ComponentLogger;
}

/** A herd of clients comes back at once; the kernel cuts this to its own greatest. */
const BACKLOG = 4096;

/** The listening sockets of one node: listeners of different kinds on the same address share one. Port 0 is a port of its own each time. */
export class TcpPorts {
  readonly #open = new Map<string, TcpPort>();

  /** Resolves when the socket listens. @throws Error of the system */
  async join(place: Place, role: Role, options: PortOptions): Promise<TcpPort> {
    const key = place.port === 0 ? undefined : `${place.host} ${place.port}`;
    const port = (key === undefined ? undefined : this.#open.get(key)) ?? new TcpPort(place, options, () => key !== undefined && this.#open.delete(key));
    if (key !== undefined) this.#open.set(key, port);
    port.add(role);
    try {
      await port.listening;
      return port;
    } catch (error) {
      await port.remove(role.kind);
      throw error;
    }
  }
}

/** A listening socket. It owns every socket that it accepted. */
export class TcpPort {
  readonly listening: Promise<unknown>;
  readonly #o: PortOptions;
  readonly #onEnd: () => void;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #stopped = new AbortController();
  readonly #accepted: Accepted = { tcp: false, ws: false, tls: undefined };

  constructor({ host, port, ipv6Only }: Place, options: PortOptions, onEnd: () => void) {
    this.#o = options;
    this.#onEnd = onEnd;
    setMaxListeners(Infinity, this.#stopped.signal);
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket));
    this.listening = once(this.#server, 'listening');
    this.listening.catch(() => undefined);
    this.#server.listen({ host, port, ipv6Only, backlog: BACKLOG });
    // What comes once it listens; libp2p does nothing with it either.
    this.#server.on('error', (error) => options.logger.forComponent('libp2p:tcp:listener').error('the listener failed - %e', error));
  }

  /** The port's number; undefined when it is closed. */
  get number(): number | undefined {
    const address = this.#server.address();
    return address === null || typeof address === 'string' ? undefined : address.port;
  }

  /** @throws Error when there is such a listener already */
  add(role: Role): void {
    if (this.#has(role.kind)) {
      throw Object.assign(new Error(`two listeners of the same kind (${role.kind}) on one port`), { code: 'EADDRINUSE' });
    }
    if (role.kind === 'tls') this.#accepted.tls = role;
    else this.#accepted[role.kind] = true;
  }

  /** Behind the last, ends what was accepted as well: the host closes its connections in good order before it closes its listeners. */
  async remove(kind: Role['kind']): Promise<void> {
    if (kind === 'tls') this.#accepted.tls = undefined;
    else this.#accepted[kind] = false;
    if (this.#has('tcp') || this.#has('ws') || this.#has('tls')) {
      return;
    }
    this.#onEnd();
    this.#stopped.abort(new Error('the listener is closing'));
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    this.#sockets.forEach((socket) => socket.destroy());
    await closed;
  }

  #has(kind: Role['kind']): boolean {
    return Boolean(this.#accepted[kind]);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    let connection: TcpConnection;
    try {
      connection = this.#connection(socket);
    } catch {
      socket.destroy();
      return;
    }
    this.#o.upgrader.upgradeInbound(connection, { signal: this.#stopped.signal }).catch((error: unknown) => connection.abort(toError(error)));
  }

  /** Where only TCP is listened for, nothing looks at what comes. */
  #connection(socket: Socket): TcpConnection {
    const init = { socket, direction: 'inbound' as const, logger: this.#o.logger };
    return this.#has('ws') || this.#has('tls') ? new WebSocketConnection({ ...init, accepted: { ...this.#accepted } }) : new TcpConnection(init);
  }
}
