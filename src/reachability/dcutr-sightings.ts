import type { Connection } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { relayOf } from '../lib/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import { sleep, withDeadline } from '../lib/deadline.ts';
import { toError } from '../lib/errors.ts';
import { dialable, transportOf } from './dcutr-host.ts';
import type { DcutrHost } from './dcutr-host.ts';
import type { HolePunchTransport } from './dcutr-metrics.ts';
import type { Observations } from './dcutr-observations.ts';

interface RelaySightingsOptions {
  host: DcutrHost;
  transports: readonly HolePunchTransport[];
  observations: Observations;
  clock: Clock;
}

/** A dial of a relay that we are connected to already, and its identify. */
const SIGHTING_MS = 2_000;

/** Three attempts with their waits; a relay has no use for the connection. */
const KEPT_MS = 40_000;

/** A relay names few addresses of a kind; the first is as good as any. */
const MAX_DIALLED = 2;

/**
 * Where this node is seen, each transport has to be told by itself. A client speaks to its relay over one; the others are
 * found out by a second connection to the relay, which is closed after a while.
 */
export class RelaySightings {
  readonly #o: RelaySightingsOptions;
  readonly #underWay = new Map<string, Promise<void>>();
  #shutdown = new AbortController();

  constructor(options: RelaySightingsOptions) {
    this.#o = options;
  }

  /** Resolves when all has been done that can be, for the peer at the other end of the circuit `connection`. */
  async complete(connection: Connection, signal: AbortSignal): Promise<void> {
    const relay = relayOf(connection);
    const known = new Set(this.#o.observations.list(relay).map(({ seenAt }) => transportOf(seenAt)));
    const absent = this.#o.transports.filter((transport) => !known.has(transport));
    if (relay !== undefined) {
      await Promise.all(absent.map((transport) => this.#once(relay, transport, signal)));
    }
  }

  stop(): void {
    this.#shutdown.abort(new Error('the node is stopping'));
    this.#shutdown = new AbortController();
  }

  #once(relay: string, transport: HolePunchTransport, signal: AbortSignal): Promise<void> {
    const key = `${relay} ${transport}`;
    const found = this.#underWay.get(key) ?? this.#look(relay, transport, signal).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, found);
    return found;
  }

  async #look(relay: string, transport: HolePunchTransport, signal: AbortSignal): Promise<void> {
    const { host, clock, observations } = this.#o;
    const connect = async (limit: AbortSignal): Promise<void> => {
      const peer = peerIdFromString(relay);
      const stored = (await host.peerStore.get(peer)).addresses.map(({ multiaddr }) => multiaddr);
      const addrs = await dialable(host, peer, stored.filter((addr) => transportOf(addr) === transport), MAX_DIALLED);
      for (const addr of addrs) {
        const connection = await host.transportManager.dial(addr, { signal: limit }).catch(() => undefined);
        if (connection !== undefined) {
          void this.#closeLater(connection);
          return await observations.untilIdentified(connection);
        }
      }
    };
    // Without it there is one way less to the peer.
    await withDeadline(SIGHTING_MS, clock, [signal], connect).catch(() => {});
  }

  /** The relay may have brought a circuit over it, or the other connection may be gone and this one carry the reservation. */
  #isNeeded(connection: Connection): boolean {
    const others = this.#o.host.connectionManager.getConnections(connection.remotePeer).filter((other) => other !== connection && other.status === 'open');
    return connection.streams.length > 0 || others.length === 0;
  }

  async #closeLater(connection: Connection): Promise<void> {
    const { signal } = this.#shutdown;
    while (connection.status === 'open' && !signal.aborted) {
      await sleep(KEPT_MS, this.#o.clock, signal);
      if (!signal.aborted && !this.#isNeeded(connection)) {
        await connection.close().catch((error: unknown) => connection.abort(toError(error)));
      }
    }
  }
}
