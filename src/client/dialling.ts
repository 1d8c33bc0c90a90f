import type { Connection, PeerId } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Registry } from 'prom-client';
import { relayOf } from '../lib/addresses.ts';
import { systemClock } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Dialler, DialOptions, DialResult } from '../lib/contracts.ts';
import { RelaydError } from '../lib/errors.ts';
import type { Part } from '../lib/lifecycle.ts';
import { ping } from '../lib/ping.ts';
import { circuitAddr, withPeer } from './circuit-addr.ts';
import { findCircuitTransport } from './circuit-transport.ts';
import { hopConnections } from './components.ts';
import type { ClientComponents } from './components.ts';
import { outOfTime, unreachable } from './dial-failure.ts';
import { planRoutes, routeLabel, routesOf } from './dial-plan.ts';
import type { Route } from './dial-plan.ts';
import { parseTarget } from './dial-target.ts';
import type { DialTarget } from './dial-target.ts';
import { noRelays } from './directory.ts';
import type { RelayDirectory } from './directory.ts';
import { clientMetrics } from './metrics.ts';
import type { ClientMetrics } from './metrics.ts';
import { OpenConnections, drop } from './open-connections.ts';
import { RaceLost, race } from './race.ts';
import type { Contender } from './race.ts';
import { SharedAttempts } from './shared-attempt.ts';

/** Between one way and the next: what a way that hangs may cost. The same head start goes to direct addresses. */
const STAGGER_MS = 250;

/** The most that one way may take, however patient the caller. */
const CONTENDER_MS = 10_000;

export interface DiallerOptions {
  components: ClientComponents;
  registry: Registry;
  /** The supervisor; none on a node without a client. */
  relays?: RelayDirectory;
  /** Whether peers that cannot be found otherwise are looked up in the DHT. */
  lookup?: boolean;
  clock?: Clock;
}

interface Found {
  connection: Connection;
  existing: boolean;
}

/**
 * Opens connections to peers. The ways to a peer are raced {@link STAGGER_MS} apart: an open connection (if it answers a
 * ping: its relay may be frozen), the address given, the direct addresses known, the relays that its addresses name,
 * the relays that we hold or know, the DHT. The first to succeed is the result; the rest are cancelled and closed.
 *
 * libp2p's own dial queue is not used for this: it allows one dial a peer at a time and joins any other to it.
 *
 * A `fresh` dial closes what is open to the peer first, but not a direct connection that other things hang on (one that
 * carries our reservation, or circuits): beside that one it opens another.
 */
export class ClientDialler implements Dialler, Part {
  readonly name = 'dialler';
  readonly #components: ClientComponents;
  readonly #relays: RelayDirectory;
  readonly #lookup: boolean;
  readonly #clock: Clock;
  readonly #metrics: ClientMetrics;
  readonly #open: OpenConnections;
  readonly #attempts = new SharedAttempts<Found>();

  constructor(options: DiallerOptions) {
    this.#components = options.components;
    this.#relays = options.relays ?? noRelays;
    this.#lookup = options.lookup ?? false;
    this.#clock = options.clock ?? systemClock;
    this.#metrics = clientMetrics(options.registry);
    this.#open = new OpenConnections({ components: options.components, relays: this.#relays, clock: this.#clock });
  }

  start(): void {}

  /** Ends the dials under way; later ones are taken again. */
  stop(): void {
    this.#attempts.abortAll(new RelaydError('CLOSED', 'the node is stopping'));
  }

  /**
   * @throws RelaydError BAD_REQUEST for a target that is none; NO_ADDRESS when no way to the peer is known; DIAL_FAILED with data
   * {peer, attempts: [{address, error}]}; TIMEOUT when the signal aborts first, with the same data
   */
  async dial(text: string, options: DialOptions): Promise<DialResult> {
    const target = parseTarget(text);
    if (target.peer.equals(this.#components.peerId)) {
      throw new RelaydError('BAD_REQUEST', 'that is this node itself');
    }
    if (options.fresh === true) {
      await this.#open.close(target.peer);
    }
    const start = this.#clock.now();
    const found = await this.#join(target, options);
    return this.#result(found, this.#clock.now() - start);
  }

  async #join(target: DialTarget, options: DialOptions): Promise<Found> {
    const key = [target.peer, target.addr ?? '', options.fresh === true ? 'fresh' : ''].join(' ');
    try {
      return await this.#attempts.join(key, options.signal, (signal) => this.#find(target, options.fresh === true, signal));
    } catch (error) {
      this.#metrics.dialFailed();
      throw options.signal.aborted ? outOfTime(target.peer, error, options.signal.reason) : error;
    }
  }

  #result({ connection, existing }: Found, dialMs: number): DialResult {
    const path = connection.direct ? 'direct' : 'relay';
    this.#metrics.dialled(existing ? 'existing' : path, dialMs / 1000);
    return { connection, path, via: relayOf(connection), dialMs };
  }

  async #find(target: DialTarget, fresh: boolean, signal: AbortSignal): Promise<Found> {
    const open = fresh ? undefined : this.#open.best(target.peer);
    if (open !== undefined && this.#open.isTrusted(open)) {
      return { connection: open, existing: true };
    }
    const slots = [...(open === undefined ? [] : [[this.#existing(open)]]), ...(await this.#contenders(target))];
    if (slots.length === 0) {
      throw new RelaydError('NO_ADDRESS', `no address of ${target.peer.toString()} is known, and no relay to ask`, { data: { peer: target.peer.toString() } });
    }
    try {
      return await race(slots, { staggerMs: STAGGER_MS, contenderMs: CONTENDER_MS, clock: this.#clock, signal });
    } catch (error) {
      throw error instanceof RaceLost ? unreachable(target.peer, error) : error;
    }
  }

  async #contenders(target: DialTarget): Promise<Contender<Found>[][]> {
    const plan = planRoutes({
      self: this.#components.peerId,
      target: target.peer,
      given: target.addr,
      known: await this.#stored(target.peer),
      relays: this.#relays,
      isConnected: (relay) => hopConnections(this.#components, relay).length > 0,
    });
    const slots = plan.map((slot) => slot.map((route) => this.#contender(route, target.peer)));
    return this.#lookup && target.addr === undefined ? [...slots, [this.#lookedUp(target.peer)]] : slots;
  }

  async #stored(peer: PeerId): Promise<Multiaddr[]> {
    const known = await this.#components.peerStore.get(peer).catch(() => undefined);
    const addrs = known?.addresses.map((address) => withPeer(address.multiaddr, peer)) ?? [];
    return addrs.filter((addr) => addr !== undefined);
  }

  #existing(connection: Connection): Contender<Found> {
    return {
      label: `the open connection ${connection.remoteAddr.toString()}`,
      run: async (signal) => {
        await ping(connection, this.#clock, signal);
        this.#open.answered(connection);
        return { connection, existing: true };
      },
    };
  }

  #contender(route: Route, target: PeerId): Contender<Found> {
    return {
      label: routeLabel(route),
      run: async (signal) => {
        const connection = await this.#take(route, target, signal);
        this.#open.answered(connection);
        return { connection, existing: false };
      },
      discard: ({ connection }) => void drop(connection),
    };
  }

  /** Addresses that the DHT knows, raced in their turn. */
  #lookedUp(target: PeerId): Contender<Found> {
    return {
      label: 'the DHT',
      run: async (signal) => {
        const { multiaddrs } = await this.#components.peerRouting.findPeer(target, { signal });
        const addrs = multiaddrs.map((addr) => withPeer(addr, target)).filter((addr) => addr !== undefined);
        const slots = routesOf(addrs).map((route) => [this.#contender(route, target)]);
        return await race(slots, { staggerMs: STAGGER_MS, contenderMs: CONTENDER_MS, clock: this.#clock, signal });
      },
      discard: ({ connection, existing }) => void (existing || drop(connection)),
    };
  }

  async #take(route: Route, target: PeerId, signal: AbortSignal): Promise<Connection> {
    const addr = route.kind === 'direct' ? route.addr : circuitAddr(route.addrs[0] ?? relayOnly(route.relay), target);
    await this.#assertAllowed(addr, target);
    if (route.kind === 'relay') {
      const transport = findCircuitTransport(this.#components);
      return await (transport ?? refuse('this node has no circuit transport')).dialThrough(route, target, { signal });
    }
    // Only the dial queue resolves /dnsaddr.
    const queued = addr.getComponents().some((part) => part.name === 'dnsaddr');
    return await (queued ? this.#components.connectionManager.openConnection(addr, { signal }) : this.#components.transportManager.dial(addr, { signal }));
  }

  /** The dial queue would ask the gater; what goes past the queue asks it here. */
  async #assertAllowed(addr: Multiaddr, target: PeerId): Promise<void> {
    const gater = this.#components.connectionGater;
    if ((await gater.denyDialPeer?.(target)) === true || (await gater.denyDialMultiaddr?.(addr)) === true) {
      refuse('the connection gater does not allow it');
    }
  }
}

function relayOnly(relay: PeerId): Multiaddr {
  return multiaddr(`/p2p/${relay.toString()}`);
}

function refuse(why: string): never {
  throw new RelaydError('DIAL_FAILED', why);
}
