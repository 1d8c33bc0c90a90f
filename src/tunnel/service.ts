import type { ExposeConfig } from '../config/domain.ts';
import type { TunnelRow } from '../lib/contracts.ts';
import { peerText } from '../lib/logger.ts';
import { canonicalPeer } from './peers.ts';
import { TunnelStatus } from './protocol.ts';
import type { TunnelStatusCode } from './protocol.ts';
import { hostPortText } from './sockets.ts';
import type { Tally } from './tally.ts';

/** A request that is not served, with the status that says so. The message is for this side's log only. */
export class Refusal extends Error {
  readonly status: TunnelStatusCode;
  readonly service: Service | undefined;

  constructor(status: TunnelStatusCode, reason: string, service?: Service) {
    super(reason);
    this.status = status;
    this.service = service;
  }
}

/** One exposed TCP service and who may use it. */
export class Service {
  readonly config: ExposeConfig;
  readonly allow: ReadonlySet<string>;
  readonly tally: Tally;
  /** Connections open or being set up: only {@link Services.take} adds, whoever took one gives it back. */
  sockets = 0;

  constructor(config: ExposeConfig, tally: Tally) {
    this.config = config;
    this.allow = new Set(config.allow.map(canonicalPeer));
    this.tally = tally;
  }

  row(): TunnelRow {
    return { kind: 'expose', name: this.config.name, local: hostPortText(this.config.to), peers: [...this.allow], ...this.tally.counts() };
  }
}

/** The exposed services, and the decision who reaches which: nobody, unless an allow-list names the peer. */
export class Services {
  readonly #services: ReadonlyMap<string, Service>;
  readonly #known: ReadonlySet<string>;
  readonly #maxSockets: number;

  constructor(configs: readonly ExposeConfig[], maxSockets: number, newTally: () => Tally) {
    this.#services = new Map(configs.map((config) => [config.name, new Service(config, newTally())]));
    this.#known = new Set([...this.#services.values()].flatMap(({ allow }) => [...allow]));
    this.#maxSockets = maxSockets;
  }

  /** True for a peer on any allow-list. */
  knows(peer: string): boolean {
    return this.#known.has(peer);
  }

  rows(): TunnelRow[] {
    return [...this.#services.values()].map((service) => service.row());
  }

  /**
   * The service `name` with one more connection counted in it.
   *
   * @throws Refusal with the same status for a name that is not there and a peer that is not allowed
   */
  take(name: string, peer: string): Service {
    const service = this.#services.get(name);
    if (service === undefined) {
      throw new Refusal(TunnelStatus.UNKNOWN_OR_FORBIDDEN, `there is no service "${peerText(name)}"`);
    }
    if (!service.allow.has(peer)) {
      throw new Refusal(TunnelStatus.UNKNOWN_OR_FORBIDDEN, `peer ${peer} is not on the allow-list`, service);
    }
    if (service.sockets >= this.#maxSockets) {
      throw new Refusal(TunnelStatus.OVERLOADED, `${service.sockets} connections are open, the most that one tunnel takes`, service);
    }
    service.sockets++;
    return service;
  }
}
