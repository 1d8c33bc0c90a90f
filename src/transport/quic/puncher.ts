import type { Connection, MultiaddrConnection, PeerId, Upgrader, UpgraderOptions } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { abortable, sleep } from '../../lib/deadline.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Hole, HolePuncher, Observation, PunchRole } from '../../lib/contracts.ts';
import { toError } from '../../lib/errors.ts';
import { firstOf } from '../../lib/first-connection.ts';
import type { QuicTransport } from './transport.ts';
import { withUpgrades } from './upgrader.ts';

export interface QuicPuncherOptions {
  transport: Pick<QuicTransport, 'dial' | 'createListener'>;
  upgrader: Upgrader;
  clock: Clock;
}

/** The whole attempt has a deadline of its own, which is shorter. */
const CONNECT_MS = 30_000;

/**
 * The server's packets leave its router when ours leave ours. Where the way is shorter than the two clocks agree, ours would
 * come first and be lost, and be sent again after a second.
 */
const HEAD_START_MS = 20;

/** What opens the router for the peer's packets: any bytes do, and one may be lost. */
const OPENING_BYTES = 64;
const OPENING_PACKETS = 3;

const FAMILIES = ['ip4', 'ip6'] as const;
type Family = (typeof FAMILIES)[number];

/**
 * QUIC holes. The client dials from the socket of all our dials, which the relay has seen. The server's router must let the
 * client in first, so packets go out to it from a port; but the native part sends only answers from a socket that listens. So an
 * ordinary socket takes a port and sends them, closes, and in the same moment a listener takes over the port: what the
 * router has opened stays open.
 */
export class QuicPuncher implements HolePuncher {
  readonly transport = 'quic';
  readonly #o: QuicPuncherOptions;

  constructor(options: QuicPuncherOptions) {
    this.#o = options;
  }

  async open(role: PunchRole, observations: readonly Observation[]): Promise<Hole[]> {
    const holes = role === 'client' ? FAMILIES.map((family) => this.#client(family, observations)) : await Promise.all(FAMILIES.map((family) => this.#server(family, observations)));
    return holes.filter((hole) => hole !== undefined);
  }

  #client(family: Family, observations: readonly Observation[]): Hole | undefined {
    const end = observations.find(({ seenAt, connection }) => connection.direction === 'outbound' && isQuic(seenAt) && familyOf(seenAt) === family);
    return end === undefined ? undefined : new ClientHole(this.#o, end.seenAt);
  }

  /** Most routers keep a port's number where it is free: the port of the new socket is likely to be seen as it is. */
  async #server(family: Family, observations: readonly Observation[]): Promise<Hole | undefined> {
    const host = observations.map(({ seenAt }) => seenAt).find((seenAt) => familyOf(seenAt) === family)?.getComponents()[0]?.value;
    return host === undefined ? undefined : await ServerHole.open(this.#o, family, host);
  }
}

class ClientHole implements Hole {
  readonly seenAt: Multiaddr;
  readonly #o: QuicPuncherOptions;

  constructor(options: QuicPuncherOptions, seenAt: Multiaddr) {
    this.#o = options;
    this.seenAt = seenAt;
  }

  async connect(_peer: PeerId, addrs: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const { transport, upgrader, clock } = this.#o;
    await sleep(HEAD_START_MS, clock, signal);
    const ways = addrs.map((addr) => (limit: AbortSignal) => transport.dial(addr, { upgrader, signal: limit }));
    return await firstOf(ways, { ms: CONNECT_MS, clock, signal, chooses: true });
  }

  close(): void {
    // The socket is that of all dials.
  }
}

class ServerHole implements Hole {
  readonly seenAt: Multiaddr;
  readonly #o: QuicPuncherOptions;
  readonly #family: Family;
  readonly #socket: Socket;

  static async open(options: QuicPuncherOptions, family: Family, host: string): Promise<ServerHole | undefined> {
    const socket = createSocket({ type: family === 'ip4' ? 'udp4' : 'udp6', ipv6Only: family === 'ip6' });
    try {
      const listening = once(socket, 'listening');
      socket.bind({ port: 0, exclusive: true });
      await listening;
      return new ServerHole(options, family, host, socket);
    } catch {
      socket.close();
      return undefined; // The machine has no such addresses.
    }
  }

  private constructor(options: QuicPuncherOptions, family: Family, host: string, socket: Socket) {
    this.#o = options;
    this.#family = family;
    this.#socket = socket;
    this.seenAt = multiaddr(`/${family}/${host}/udp/${socket.address().port}/quic-v1`);
    socket.on('error', () => {});
  }

  async connect(peer: PeerId, addrs: readonly Multiaddr[], signal: AbortSignal): Promise<Connection> {
    const { port } = this.#socket.address();
    await Promise.all(addrs.map((addr) => this.#open(addr)));
    signal.throwIfAborted();
    // From here to the listener nothing may wait.
    this.close();
    return await this.#accept(peer, multiaddr(`/${this.#family}/${this.#family === 'ip4' ? '0.0.0.0' : '::'}/udp/${port}/quic-v1`), signal);
  }

  close(): void {
    try {
      this.#socket.close();
    } catch {
      // It is closed already.
    }
  }

  async #open(addr: Multiaddr): Promise<void> {
    const [ip, port] = addr.getComponents();
    for (let i = 0; i < OPENING_PACKETS; i++) {
      await new Promise<void>((sent) => this.#socket.send(randomBytes(OPENING_BYTES), Number(port?.value), ip?.value, () => sent()));
    }
  }

  /** The connection of `peer` at a listener of its own, which lasts as long as the connection. */
  async #accept(peer: PeerId, addr: Multiaddr, signal: AbortSignal): Promise<Connection> {
    const accepted = Promise.withResolvers<Connection>();
    const upgradeInbound = async (connection: MultiaddrConnection, options: UpgraderOptions): Promise<void> => {
      if (!connection.remoteAddr.toString().endsWith(`/p2p/${peer.toString()}`)) {
        throw new Error('another peer came');
      }
      // We have asked for it, so the limits of inbound connections are not for it; in the upgrade we are the server all the same.
      accepted.resolve(await this.#o.upgrader.upgradeOutbound(connection, { ...options, initiator: false }));
    };
    const listener = this.#o.transport.createListener({ upgrader: withUpgrades(this.#o.upgrader, { upgradeInbound }) });
    const end = (): void => void listener.close().catch((error: unknown) => toError(error));
    try {
      await listener.listen(addr);
      const connection = await abortable(accepted.promise, signal);
      connection.addEventListener('close', end, { once: true });
      return connection;
    } catch (error) {
      end();
      throw error;
    }
  }
}

function isQuic(addr: Multiaddr): boolean {
  return addr.getComponents()[2]?.name === 'quic-v1';
}

function familyOf(addr: Multiaddr): string | undefined {
  return addr.getComponents()[0]?.name;
}
