import type { Connection } from '@libp2p/interface';
import type { Clock } from '../lib/clock.ts';

/**
 * When each connection last gave a sign of life. A stream that cannot be opened in time means a dead connection only when
 * nothing else came over it meanwhile: on a slow path another tunnel's bulk data stands in front of the answer, and
 * cutting the connection would cut that tunnel too.
 */
export class Liveness {
  readonly #heardAt = new WeakMap<Connection, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  heard(connection: Connection): void {
    this.#heardAt.set(connection, this.#clock.now());
  }

  heardSince(connection: Connection, since: number): boolean {
    return (this.#heardAt.get(connection) ?? -Infinity) >= since;
  }
}
