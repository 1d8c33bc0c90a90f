import { serviceCapabilities, transportSymbol } from '@libp2p/interface';
import type { Connection, DialTransportOptions, Listener, PeerId, Startable, Transport, Upgrader } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Registry } from 'prom-client';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { RelaydError, toError } from '../lib/errors.ts';
import type { TokenFor } from '../lib/membership/token-for.ts';
import { circuitAddr, parseCircuit } from './circuit-addr.ts';
import { CircuitListener } from './circuit-listener.ts';
import { carriesHop, hopConnections } from './components.ts';
import type { ClientComponents } from './components.ts';
import { requestHop } from './hop.ts';
import { connectionLimits } from './limits.ts';
import { clientMetrics } from './metrics.ts';
import { StopHandler } from './stop-handler.ts';
import { StreamConnection } from './stream-connection.ts';

export interface CircuitTransportOptions {
  registry: Registry;
  clock?: Clock;
  /** Whether circuits to this node are accepted (STOP is offered); true unless it only dials. */
  accept?: boolean;
  /** This node's own token; none unless given. */
  tokenFor?: TokenFor;
}

/** A relay, and the ways to it: each ends in its peer id; none means that the peer store knows. */
export interface Hop {
  readonly relay: PeerId;
  readonly addrs: readonly Multiaddr[];
}

/** For `transports` of createLibp2p. */
export function circuitTransport(options: CircuitTransportOptions): (components: ClientComponents) => CircuitTransport {
  return (components) => new CircuitTransport(components, options);
}

/** The private listen address under which the transport listens on itself; it is never announced. */
const LISTEN_ADDR = '/p2p-circuit';

/**
 * Dials peers through relays and accepts circuits that relays bring. It makes no reservations: the supervisor does,
 * and tells here which circuit addresses work.
 *
 * libp2p calls start, afterStart and stop on a transport as on any component.
 */
export class CircuitTransport implements Transport, Startable {
  readonly [transportSymbol] = true as const;
  readonly [Symbol.toStringTag] = 'relayd-circuit';
  readonly [serviceCapabilities] = ['@libp2p/transport'];

  readonly #components: ClientComponents;
  readonly #clock: Clock;
  readonly #tokenFor: TokenFor;
  readonly #stopHandler: StopHandler | undefined;
  readonly #listeners = new Set<CircuitListener>();
  #announced: readonly Multiaddr[] = [];

  constructor(components: ClientComponents, options: CircuitTransportOptions) {
    this.#components = components;
    this.#clock = options.clock ?? systemClock;
    this.#tokenFor = options.tokenFor ?? (() => undefined);
    const metrics = clientMetrics(options.registry);
    this.#stopHandler = options.accept === false ? undefined : new StopHandler({ components, metrics, clock: this.#clock });
  }

  async start(): Promise<void> {
    await this.#stopHandler?.start();
  }

  /** The transport manager takes listeners from its own start on, which has passed here. */
  async afterStart(): Promise<void> {
    await this.#components.transportManager.listen([multiaddr(LISTEN_ADDR)]);
  }

  async stop(): Promise<void> {
    this.#announced = [];
    await this.#stopHandler?.stop();
  }

  /** @throws RelaydError DIAL_FAILED for an address that is not one circuit, and what {@link dialThrough} throws */
  async dial(addr: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const circuit = parseCircuit(addr);
    if (circuit === undefined) {
      throw new RelaydError('DIAL_FAILED', `${addr.toString()} is not the address of a circuit through one relay`);
    }
    return await this.dialThrough({ relay: circuit.relay, addrs: [circuit.relayAddr] }, circuit.target, options);
  }

  /**
   * Opens a circuit to `target`: over an open direct connection to the relay, else over a new one.
   *
   * @throws RelaydError CONNECT_REFUSED with data {status, statusName, refusal, relay} when the relay refuses,
   * MALFORMED_MESSAGE, UNEXPECTED_END; libp2p's errors when the relay cannot be reached or the peer is not `target`
   */
  async dialThrough(hop: Hop, target: PeerId, options: { signal: AbortSignal; upgrader?: Upgrader }): Promise<Connection> {
    const relay = await this.#connectRelay(hop, options.signal);
    const request = { type: 'CONNECT' as const, peer: { id: target.toMultihash().bytes, addrs: [] }, token: this.#tokenFor(hop.relay) };
    const { stream, message } = await requestHop(relay, request, 'CONNECT_REFUSED', options.signal);
    const raw = new StreamConnection({
      stream,
      remoteAddr: circuitAddr(hopAddr(hop, relay), target),
      log: stream.log.newScope('circuit'),
      clock: this.#clock,
    });
    try {
      const upgrader = options.upgrader ?? this.#components.upgrader;
      return await upgrader.upgradeOutbound(raw, { signal: options.signal, limits: connectionLimits(message.limit) });
    } catch (error) {
      raw.abort(toError(error));
      throw error;
    }
  }

  async #connectRelay(hop: Hop, signal: AbortSignal): Promise<Connection> {
    const open = hopConnections(this.#components, hop.relay)[0];
    if (open !== undefined) {
      return open;
    }
    const known = hop.addrs.filter((addr) => addr.getComponents().length > 1);
    const connection = await this.#components.connectionManager.openConnection(known.length > 0 ? known : hop.relay, { signal });
    if (!carriesHop(connection)) {
      throw new RelaydError('DIAL_FAILED', `relay ${hop.relay.toString()} can only be reached through another relay`);
    }
    return connection;
  }

  /** What the node announces as circuit addresses from now on: `/…/p2p/RELAY/p2p-circuit`. */
  announce(addrs: readonly Multiaddr[]): void {
    this.#announced = addrs;
    this.#listeners.forEach((listener) => listener.changed());
  }

  createListener(): Listener {
    const listener: CircuitListener = new CircuitListener(
      () => this.#announced,
      () => this.#listeners.delete(listener),
    );
    this.#listeners.add(listener);
    return listener;
  }

  listenFilter(addrs: Multiaddr[]): Multiaddr[] {
    return addrs.filter((addr) => addr.toString() === LISTEN_ADDR);
  }

  dialFilter(addrs: Multiaddr[]): Multiaddr[] {
    return addrs.filter((addr) => parseCircuit(addr) !== undefined);
  }
}

/** An address of the relay for the circuit's own address: one that others could dial where there is one. */
function hopAddr(hop: Hop, relay: Connection): Multiaddr {
  const dialled = relay.direction === 'outbound' ? relay.remoteAddr : undefined;
  return hop.addrs.find((addr) => addr.getComponents().length > 1) ?? dialled ?? hop.addrs[0] ?? multiaddr(`/p2p/${hop.relay.toString()}`);
}

/** The circuit transport among a node's transports. */
export function findCircuitTransport(components: Pick<ClientComponents, 'transportManager'>): CircuitTransport | undefined {
  return components.transportManager.getTransports().find((transport) => transport instanceof CircuitTransport);
}
