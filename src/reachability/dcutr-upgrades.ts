import type { Connection } from '@libp2p/interface';
import type { Upgrade } from '../lib/contracts.ts';

const NONE: Upgrade = { state: 'none' };

/** What became of each relayed connection. */
export class Upgrades {
  readonly #byConnection = new WeakMap<Connection, Upgrade>();

  of(connection: Connection): Upgrade {
    return this.#byConnection.get(connection) ?? NONE;
  }

  trying(connection: Connection): void {
    this.#byConnection.set(connection, { state: 'trying' });
  }

  direct(connection: Connection): void {
    this.#byConnection.set(connection, { state: 'direct' });
  }

  /** A direct connection that has come in the meantime counts. */
  failed(connection: Connection, reason: string): void {
    if (this.of(connection).state !== 'direct') {
      this.#byConnection.set(connection, { state: 'failed', reason });
    }
  }
}
