import type { PeerId } from '@libp2p/interface';
import type { ExposeConfig } from '../config/domain.ts';
import type { TunnelRow } from '../lib/contracts.ts';
import { peerText } from '../lib/logger.ts';
import type { Grant, TokenProblem, TokenVerdict, TokenVerifier } from '../lib/membership/verifier.ts';
import { canonicalPeer } from './peers.ts';
import { TunnelStatus } from './protocol.ts';
import type { TunnelRequest, TunnelStatusCode } from './protocol.ts';
import { hostPortText } from './sockets.ts';
import type { Tally } from './tally.ts';

/** A request that is not served, with the status that says so. The message is for this side's log only. */
export class Refusal extends Error {
  readonly status: TunnelStatusCode;
  readonly service: Service | undefined;
  /** Why the token that the peer showed does not count. The peer is told. */
  readonly tokenProblem: TokenProblem | undefined;

  constructor(status: TunnelStatusCode, reason: string, service?: Service, tokenProblem?: TokenProblem) {
    super(reason);
    this.status = status;
    this.service = service;
    this.tokenProblem = tokenProblem;
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

/** A place in a service, and the token that it is held by, unless the allow-list names the peer. */
export interface Admission {
  readonly service: Service;
  readonly grant: Grant | undefined;
}

/** Peers that are remembered to have been let in by a token, those seen last: as many as there are streams of known peers being read. */
const MAX_GUESTS = 1024;

/** The exposed services, and the decision who reaches which: nobody, unless an allow-list names the peer or the realm's token says so. */
export class Services {
  readonly #services: ReadonlyMap<string, Service>;
  readonly #known: ReadonlySet<string>;
  readonly #guests = new Map<string, Grant>();
  readonly #maxSockets: number;
  readonly #verifier: TokenVerifier;

  constructor(configs: readonly ExposeConfig[], maxSockets: number, verifier: TokenVerifier, newTally: () => Tally) {
    this.#services = new Map(configs.map((config) => [config.name, new Service(config, newTally())]));
    this.#known = new Set([...this.#services.values()].flatMap(({ allow }) => [...allow]));
    this.#maxSockets = maxSockets;
    this.#verifier = verifier;
  }

  /** True for a peer on any allow-list, and for one whose token was good before and still is. */
  knows(peer: string): boolean {
    const grant = this.#guests.get(peer);
    return this.#known.has(peer) || (grant !== undefined && this.#verifier.endOf(grant) === undefined);
  }

  rows(): TunnelRow[] {
    return [...this.#services.values()].map((service) => service.row());
  }

  /**
   * The service with one more connection counted in it.
   *
   * @throws Refusal with the same status for a name that is not there and a peer that is not allowed
   */
  take({ name, token }: TunnelRequest, peer: PeerId): Admission {
    const service = this.#services.get(name);
    const listed = service?.allow.has(peer.toString()) === true;
    // Asked whether there is such a service or not: what the peer is told of its token must not say which.
    const verdict = token === undefined || listed ? undefined : this.#verifier.verify(token, peer, `tunnel:${name}`);
    const grant = verdict?.ok === true ? verdict.grant : undefined;
    if (service === undefined || (grant === undefined && !listed)) {
      throw forbidden(service, name, peer, verdict);
    }
    if (service.sockets >= this.#maxSockets) {
      throw new Refusal(TunnelStatus.OVERLOADED, `${service.sockets} connections are open, the most that one tunnel takes`, service);
    }
    service.sockets++;
    if (grant !== undefined) this.#welcome(peer.toString(), grant);
    return { service, grant };
  }

  #welcome(peer: string, grant: Grant): void {
    grant.claim();
    this.#guests.delete(peer);
    this.#guests.set(peer, grant);
    const [oldest = ''] = this.#guests.keys();
    if (this.#guests.size > MAX_GUESTS) this.#guests.delete(oldest);
  }
}

function forbidden(service: Service | undefined, name: string, peer: PeerId, verdict: TokenVerdict | undefined): Refusal {
  const problem = verdict?.ok === false ? verdict.problem : undefined;
  const why = problem === undefined ? '' : `, and its token does not count: ${problem}`;
  const text = service === undefined ? `there is no service "${peerText(name)}"` : `peer ${peer.toString()} is not on the allow-list${why}`;
  return new Refusal(TunnelStatus.UNKNOWN_OR_FORBIDDEN, text, service, problem);
}
