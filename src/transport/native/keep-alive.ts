import type { Clock, TimerHandle } from '../../lib/clock.ts';

/** A connection as keep-alive sees it. */
export interface Watched {
  /** True once something has come; taken back here. */
  alive: boolean;
  ping(): void;
  lost(): void;
}

/** A connection on which nothing came for one whole interval is asked; one that does not answer within another is given up. */
const INTERVAL_MS = 45_000;
/** The work of one interval is spread, so that ten thousand connections are not asked in one turn of the event loop. */
const SLICES = 45;

/** Finds connections whose peer has gone without a word. One timer serves all of them. */
export class KeepAlive {
  readonly #clock: Clock;
  readonly #slices: Map<Watched, { asked: boolean }>[] = Array.from({ length: SLICES }, () => new Map());
  readonly #sliceOf = new WeakMap<Watched, number>();
  #next = 0;
  #timer: TimerHandle | undefined;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Connections that are watched. */
  get count(): number {
    return this.#count;
  }

  watch(connection: Watched): void {
    // The slice that has just been looked at: a new connection has a whole interval before it is asked.
    const slice = (this.#next + SLICES - 1) % SLICES;
    this.#slices[slice]?.set(connection, { asked: false });
    this.#sliceOf.set(connection, slice);
    this.#count++;
    this.#timer ??= this.#arm();
  }

  forget(connection: Watched): void {
    const slice = this.#sliceOf.get(connection);
    if (slice !== undefined && this.#slices[slice]?.delete(connection) === true) {
      this.#count--;
      if (this.#count === 0) {
        this.#timer?.cancel();
        this.#timer = undefined;
      }
    }
  }

  #arm(): TimerHandle {
    return this.#clock.setTimer(() => {
      this.#timer = this.#arm();
      this.#look();
    }, INTERVAL_MS / SLICES);
  }

  #look(): void {
    const slice = this.#slices[this.#next];
    this.#next = (this.#next + 1) % SLICES;
    for (const [connection, state] of slice ?? []) {
      if (connection.alive) {
        connection.alive = false;
        state.asked = false;
      } else if (state.asked) {
        this.forget(connection);
        connection.lost();
      } else {
        state.asked = true;
        connection.ping();
      }
    }
  }
}
