import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { ForwardConfig } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import type { Dialler, TunnelRow } from '../lib/contracts.ts';
import { RelaydError, errorMessage, toError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { cutUnder } from './cut.ts';
import type { TunnelLimits } from './limits.ts';
import type { Liveness } from './liveness.ts';
import type { TunnelMetrics } from './metrics.ts';
import { carry } from './pipe.ts';
import { Requester, isRefusal } from './request.ts';
import type { OpenTunnel } from './request.ts';
import { Sessions } from './sessions.ts';
import type { Session } from './sessions.ts';
import { SOCKET_OPTIONS, hostPortText, ignore, resetSocket } from './sockets.ts';
import { Tally } from './tally.ts';

export interface ForwardOptions {
  config: ForwardConfig;
  /** The config key of the listen address, for errors: `tunnels.forward[0].listen`. */
  key: string;
  /** This node's own token: the operator named the peer that it is shown to. */
  token: () => Uint8Array | undefined;
  dialler: Dialler;
  log: Logger;
  metrics: TunnelMetrics;
  clock: Clock;
  limits: TunnelLimits;
  liveness: Liveness;
}

/** One local port whose TCP connections go to a service of a peer. */
export class Forward {
  readonly #o: ForwardOptions;
  readonly #requester: Requester;
  readonly #tally: Tally;
  readonly #sessions: Sessions;
  #server: Server | undefined;

  constructor(options: ForwardOptions) {
    const { peer, name } = options.config;
    this.#o = options;
    this.#sessions = new Sessions(options.log, options.clock);
    this.#requester = new Requester({ peer, name, ...options });
    this.#tally = new Tally({ direction: 'forward', ...options });
  }

  /** The port that it listens on; 0 while it does not. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port ?? 0;
  }

  row(): TunnelRow {
    const { config } = this.#o;
    const local = hostPortText({ host: config.listen.host, port: this.port || config.listen.port });
    return { kind: 'forward', name: config.name, local, peers: [config.peer], ...this.#tally.counts() };
  }

  /** @throws RelaydError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE */
  async start(): Promise<void> {
    const { listen } = this.#o.config;
    const server = createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, this.#onConnection);
    const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ host: listen.host, port: listen.port, exclusive: true }, resolve);
    try {
      await listening;
    } catch (error) {
      throw listenError(error, this.#o.key, hostPortText(listen));
    }
    server.off('error', reject);
    server.on('error', (error) => this.#o.log.error({ listen: hostPortText(listen), error: error.message }, 'a tunnel cannot accept connections'));
    this.#server = server;
  }

  /** Takes no new connection and lets those there are go on while they move. */
  async drain(signal: AbortSignal): Promise<void> {
    void this.#unlisten();
    await this.#sessions.settle({ quietMs: this.#o.limits.quietMs, signal });
  }

  async stop(): Promise<void> {
    const closed = this.#unlisten();
    await this.#sessions.stop(new RelaydError('CLOSED', 'the tunnels were stopped'));
    await closed;
  }

  /** Resolves when the connections have ended too. */
  async #unlisten(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  readonly #onConnection = (socket: Socket): void => {
    socket.on('error', ignore);
    if (this.#server === undefined || this.#sessions.size >= this.#o.limits.socketsPerTunnel) {
      this.#tally.refused(new RelaydError('TUNNEL_REFUSED', `${this.#sessions.size} connections are open, the most that one tunnel takes`), this.#facts());
      resetSocket(socket);
      return;
    }
    this.#sessions.run((session) => this.#serve(socket, session));
  };

  /** The socket stays paused, and its data with the kernel, until the far side has said yes. */
  async #serve(socket: Socket, session: Session): Promise<void> {
    let tunnel: OpenTunnel;
    try {
      tunnel = await this.#requester.open(session.signal);
    } catch (error) {
      this.#tally[isRefusal(error) ? 'refused' : 'failed'](error, this.#facts());
      resetSocket(socket);
      return;
    }
    await this.#carry(socket, tunnel, session);
  }

  async #carry(socket: Socket, { stream, connection, path }: OpenTunnel, { signal, moved }: Session): Promise<void> {
    const tally = this.#tally;
    const onSent = (bytes: number): void => {
      tally.onSent(bytes);
      moved();
    };
    const onReceived = (bytes: number): void => {
      tally.onReceived(bytes);
      moved();
      this.#o.liveness.heard(connection);
    };
    tally.opened();
    try {
      await carry({ socket, stream, signal, onSent, onReceived });
      this.#o.log.debug({ ...this.#facts(), path }, 'a tunnel connection ended');
    } catch (error) {
      const cut = signal.aborted ? undefined : cutUnder(connection, error);
      if (cut === undefined) this.#o.log.debug({ ...this.#facts(), path, error: errorMessage(error) }, 'a tunnel connection was reset');
      else tally.cut(cut, { ...this.#facts(), path });
    } finally {
      tally.closed();
    }
  }

  #facts(): Record<string, unknown> {
    const { name, peer } = this.#o.config;
    return { tunnel: name, listen: this.row().local, peer };
  }
}

function listenError(error: unknown, key: string, address: string): RelaydError {
  const { code } = toError(error) as NodeJS.ErrnoException;
  const inUse = code === 'EADDRINUSE';
  const text = inUse ? 'is in use by another program' : `cannot be listened on (${errorMessage(error)})`;
  return new RelaydError(inUse ? 'ADDRESS_IN_USE' : 'ADDRESS_UNAVAILABLE', `${key}: ${address} ${text}`, { cause: error, data: { key, address } });
}
