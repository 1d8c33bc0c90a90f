import type { Libp2p } from '@libp2p/interface';
import type { Registry } from 'prom-client';
import type { ExposeConfig, ForwardConfig } from '../config/domain.ts';
import type { Clock } from '../lib/clock.ts';
import type { Dialler, TunnelRow, TunnelView } from '../lib/contracts.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import type { TokenVerifier } from '../lib/membership/verifier.ts';
import { Expose } from './expose.ts';
import { Forward } from './forward.ts';
import { MAX_STREAMS_PER_CONNECTION, TUNNEL_LIMITS } from './limits.ts';
import type { TunnelLimits } from './limits.ts';
import { Liveness } from './liveness.ts';
import { TunnelMetrics } from './metrics.ts';
import { TUNNEL_PROTOCOL } from './protocol.ts';

export interface TunnelsOptions {
  expose: readonly ExposeConfig[];
  forward: readonly ForwardConfig[];
  libp2p: Pick<Libp2p, 'handle' | 'unhandle'>;
  dialler: Dialler;
  verifier: TokenVerifier;
  /** This node's own token, as whoever exposes a service of that name gets to see it. */
  token: (service: string) => Uint8Array | undefined;
  log: Logger;
  registry: Registry;
  clock: Clock;
  /** Other numbers than the usual ones: for tests. */
  limits?: Partial<TunnelLimits>;
}

/**
 * TCP over libp2p connections, direct ones and circuits: the services that this node exposes to named peers, and the local
 * ports that lead to services of others.
 */
export class Tunnels implements Part, TunnelView {
  readonly name = 'tunnels';
  readonly #libp2p: TunnelsOptions['libp2p'];
  readonly #log: Logger;
  readonly #expose: Expose | undefined;
  readonly #forwards: readonly Forward[];

  constructor(options: TunnelsOptions) {
    const { registry, clock } = options;
    const limits = { ...TUNNEL_LIMITS, ...options.limits };
    const log = options.log.child({ part: this.name });
    const shared = { log, clock, limits, metrics: new TunnelMetrics(registry), liveness: new Liveness(clock), dialler: options.dialler };
    this.#libp2p = options.libp2p;
    this.#log = log;
    this.#expose = options.expose.length === 0 ? undefined : new Expose({ ...shared, services: options.expose, verifier: options.verifier });
    this.#forwards = options.forward.map((config, i) => new Forward({ ...shared, config, token: () => options.token(config.name), key: `tunnels.forward[${i}].listen` }));
  }

  tunnels(): TunnelRow[] {
    return [...(this.#expose?.rows() ?? []), ...this.#forwards.map((forward) => forward.row())];
  }

  /** The real port of each forward, in the order of the config; 0 for one that does not listen. */
  forwardPorts(): number[] {
    return this.#forwards.map(({ port }) => port);
  }

  /**
   * Listens on every forward's port and takes requests of peers. When one part fails, nothing stays behind.
   *
   * @throws RelaydError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE with the config key in the message
   */
  async start(): Promise<void> {
    try {
      for (const forward of this.#forwards) {
        await forward.start();
      }
      await this.#handle();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Takes no new connection, and returns when those there are have ended or stand still, or the signal says so. None is cut: an end in the middle
   * of its data would look like the end of it.
   */
  async drain(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#unhandle(), this.#expose?.drain(signal), ...this.#forwards.map((forward) => forward.drain(signal))]);
  }

  /** Closes the ports and resets every connection; returns when they are gone. */
  async stop(): Promise<void> {
    const ends = [this.#unhandle(), ...(this.#expose === undefined ? [] : [this.#expose.stop()]), ...this.#forwards.map((forward) => forward.stop())];
    for (const end of await Promise.allSettled(ends)) {
      if (end.status === 'rejected') this.#log.warn({ error: errorMessage(end.reason) }, 'a tunnel did not stop cleanly');
    }
  }

  async #handle(): Promise<void> {
    if (this.#expose === undefined) {
      return;
    }
    this.#expose.start();
    const perConnection = { maxInboundStreams: MAX_STREAMS_PER_CONNECTION, maxOutboundStreams: MAX_STREAMS_PER_CONNECTION };
    await this.#libp2p.handle(TUNNEL_PROTOCOL, this.#expose.onStream, { runOnLimitedConnection: true, ...perConnection });
  }

  async #unhandle(): Promise<void> {
    if (this.#expose !== undefined) await this.#libp2p.unhandle(TUNNEL_PROTOCOL);
  }
}
