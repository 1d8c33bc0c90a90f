import type { ComponentLogger, Connection, PeerId, Upgrader } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { LookupFunction } from 'node:net';
import { ipOf } from '../../lib/addresses.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Hole, HolePuncher, Observation, PunchRole } from '../../lib/contracts.ts';
import { sleep } from '../../lib/deadline.ts';
import { toError } from '../../lib/errors.ts';
import { firstOf } from '../../lib/first-connection.ts';
import { TcpConnection } from './tcp-connection.ts';
import { connectSocket } from './tcp-socket.ts';

export interface TcpPuncherOptions {
  /** See {@link TcpTransport.localPortTo}. */
  localPortTo: (addr: Multiaddr) => number | undefined;
  upgrader: Upgrader;
  logger: ComponentLogger;
  clock: Clock;
}

/** A router, or a host whose own packet is not yet on its way, answers with a reset: the other side's comes a moment later, or never. */
const RETRY_MS = 50;

/** The whole attempt has a deadline of its own, which is shorter. */
const CONNECT_MS = 30_000;

/**
 * For a node that its relay sees at loopback: both are on one machine, with no router between, and who wants to be dialled there listens.
 * Two such nodes that met in a simultaneous open would only leave a relay that somebody is trying out without its circuits.
 */
const FREE_PORT = 0;

/** Only IP addresses are connected to. */
const noLookup: LookupFunction = (name, _options, callback) => callback(new Error(`${name} is a name`), [], 0);

/**
 * TCP holes: both sides connect from the port that a connection to the relay comes from, to the port that the other
 * side's comes from as others see it, and their packets cross: a simultaneous open, which needs no listener.
 */
export class TcpPuncher implements HolePuncher {
  readonly transport = 'tcp';
  readonly #o: TcpPuncherOptions;

  constructor(options: TcpPuncherOptions) {
    this.#o = options;
  }

  async open(role: PunchRole, observations: readonly Observation[]): Promise<Hole[]> {
    return ['ip4', 'ip6'].flatMap((family) => {
      const ends = observations.map(({ connection, seenAt }) => ({ seenAt, localPort: this.#o.localPortTo(connection.remoteAddr) }));
      const end = ends.find(({ seenAt, localPort }) => localPort !== undefined && isTcp(seenAt, family));
      return end?.localPort === undefined ? [] : [new TcpHole(this.#o, role, end.seenAt, isLoopback(end.seenAt) ? FREE_PORT : end.localPort)];
    });
  }
}

class TcpHole implements Hole {
  readonly seenAt: Multiaddr;
  readonly #o: TcpPuncherOptions;
  readonly #role: PunchRole;
  readonly #localPort: number;

  constructor(options: TcpPuncherOptions, role: PunchRole, seenAt: Multiaddr, localPort: number) {
    this.#o = options;
    this.#role = role;
    this.seenAt = seenAt;
    this.#localPort = localPort;
  }

  async connect(_peer: PeerId, addrs: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const ways = addrs.map((addr) => (limit: AbortSignal) => this.#connect(addr, limit));
    return await firstOf(ways, { ms: CONNECT_MS, clock: this.#o.clock, signal, chooses: this.#role === 'client' });
  }

  close(): void {
    // Each socket ends with its connection, or when its connect is given up.
  }

  async #connect(addr: Multiaddr, signal: AbortSignal): Promise<Connection> {
    const socket = await this.#socket(addr, signal);
    const isClient = this.#role === 'client';
    const connection = new TcpConnection({ socket, direction: isClient ? 'outbound' : 'inbound', logger: this.#o.logger, remoteAddr: addr });
    try {
      return await this.#o.upgrader.upgradeOutbound(connection, { signal, initiator: isClient });
    } catch (error) {
      connection.abort(toError(error));
      throw error;
    }
  }

  async #socket(addr: Multiaddr, signal: AbortSignal): ReturnType<typeof connectSocket> {
    for (let waitMs = RETRY_MS; ; waitMs *= 2) {
      try {
        return await connectSocket(addr, { lookup: noLookup, signal, localPort: this.#localPort });
      } catch (error) {
        if (signal.aborted) throw error;
        await sleep(waitMs, this.#o.clock, signal);
      }
    }
  }
}

function isTcp(addr: Multiaddr, family: string): boolean {
  const [ip, port, ...rest] = addr.getComponents();
  return ip?.name === family && port?.name === 'tcp' && rest.length === 0;
}

function isLoopback(addr: Multiaddr): boolean {
  return ipOf(addr)?.range() === 'loopback';
}
