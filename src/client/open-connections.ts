import type { Connection, PeerId } from '@libp2p/interface';
import { relayOf } from '../lib/addresses.ts';
import { HOP_PROTOCOL, STOP_PROTOCOL } from '../lib/circuit/protocol.ts';
import type { Clock } from '../lib/clock.ts';
import { toError } from '../lib/errors.ts';
import type { ClientComponents } from './components.ts';
import type { RelayDirectory } from './directory.ts';

/** An open connection that answered this recently is not asked again. */
const TRUST_MS = 1_000;

/** A connection that is dropped gets this long to end in order. */
const CLOSE_MS = 250;

interface OpenConnectionsOptions {
  components: Pick<ClientComponents, 'connectionManager'>;
  relays: RelayDirectory;
  clock: Clock;
}

/** The connections that are open already: which one to use, and which may be closed for a fresh dial. */
export class OpenConnections {
  readonly #o: OpenConnectionsOptions;
  readonly #answeredAt = new WeakMap<Connection, number>();

  constructor(options: OpenConnectionsOptions) {
    this.#o = options;
  }

  /** Direct before relayed, unlimited before limited, through a relay that answers before others. */
  best(peer: PeerId): Connection | undefined {
    const open = this.#o.components.connectionManager.getConnections(peer).filter((connection) => connection.status === 'open');
    return open.sort((a, b) => this.#worth(b) - this.#worth(a))[0];
  }

  /** It works: its other side has just been heard. */
  answered(connection: Connection): void {
    this.#answeredAt.set(connection, this.#o.clock.now());
  }

  isTrusted(connection: Connection): boolean {
    const answeredAt = this.#answeredAt.get(connection);
    return answeredAt !== undefined && this.#o.clock.now() - answeredAt < TRUST_MS;
  }

  /** All to `peer` but a direct one that other things hang on. */
  async close(peer: PeerId): Promise<void> {
    const open = this.#o.components.connectionManager.getConnections(peer);
    await Promise.all(open.filter((connection) => !this.#isNeeded(connection)).map(drop));
  }

  #worth(connection: Connection): number {
    const relay = relayOf(connection);
    const answers = relay === undefined || this.#o.relays.answers(relay);
    return (answers ? 4 : 0) + (connection.direct ? 2 : 0) + (connection.limits === undefined ? 1 : 0);
  }

  #isNeeded(connection: Connection): boolean {
    const circuits = connection.streams.some((stream) => stream.protocol === HOP_PROTOCOL || stream.protocol === STOP_PROTOCOL);
    return connection.direct && (circuits || this.#o.relays.carries(connection));
  }
}

/** Closes it, in order if it can be. */
export async function drop(connection: Connection): Promise<void> {
  await connection.close({ signal: AbortSignal.timeout(CLOSE_MS) }).catch((error: unknown) => connection.abort(toError(error)));
}
